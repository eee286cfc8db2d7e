import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const noCodec = fileURLToPath(new URL("src/viewer/noCodec.ts", import.meta.url));

// The page is served from "/" by `ivos annotate`; relative addresses let it live behind a proxy's path too.
export default defineConfig({
  base: "./",
  resolve: { alias: { "numcodecs/blosc": noCodec, "numcodecs/lz4": noCodec, "numcodecs/zstd": noCodec } },
  build: {
    outDir: "../src/ivos/annotate/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the server's Content-Security-Policy allows nothing inline
    chunkSizeWarningLimit: 3000, // NiiVue
    license: { fileName: "licences.md" }, // of what is built in: they ask to be named
  },
  server: { proxy: { "/api": "http://127.0.0.1:8765" } },
});
