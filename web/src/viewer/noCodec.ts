// NiiVue can read Zarr, for which it brings codecs of 1.4 MB. The page reads NIfTI alone: they stay out (vite.config.ts).
export default null;
