import type { SliceViewer } from "./slices";

/** The picture of the slices, once it is there, for commands that move it. */
export const pictures: { slices: SliceViewer | null } = { slices: null };
