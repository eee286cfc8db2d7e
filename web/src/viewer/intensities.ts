import { NIFTI1, readHeader } from "nifti-reader-js";
import type { IntensityWindow } from "../types";
import { VoxelVolume, type VoxelArray } from "../voxels";

const ARRAYS: Record<number, new (buffer: ArrayBuffer, offset: number, length: number) => VoxelArray> = {
  [NIFTI1.TYPE_UINT8]: Uint8Array,
  [NIFTI1.TYPE_INT8]: Int8Array,
  [NIFTI1.TYPE_UINT16]: Uint16Array,
  [NIFTI1.TYPE_INT16]: Int16Array,
  [NIFTI1.TYPE_UINT32]: Uint32Array,
  [NIFTI1.TYPE_INT32]: Int32Array,
  [NIFTI1.TYPE_FLOAT32]: Float32Array,
  [NIFTI1.TYPE_FLOAT64]: Float64Array,
};

/** The scan's intensities as the file stores them, with what makes HU of them. */
export class Intensities {
  constructor(readonly volume: VoxelVolume<VoxelArray>, private readonly slope: number, private readonly intercept: number) {}

  /** The lowest and the highest stored value of a window. */
  range({ level, width }: IntensityWindow): [number, number] {
    return [(level - width / 2 - this.intercept) / this.slope, (level + width / 2 - this.intercept) / this.slope];
  }
}

/** Reads an unpacked NIfTI file that is in canonical orientation already, as the server sends it. */
export function readIntensities(file: ArrayBuffer, shape: [number, number, number]): Intensities {
  const header = readHeader(file);
  const Kind = ARRAYS[header?.datatypeCode ?? -1];
  const [depth, height, width] = shape;
  if (!header || !Kind || !header.littleEndian) throw new Error("The scan came in a form that this page cannot show.");
  if (header.dims.slice(1, 4).join() !== [width, height, depth].join()) {
    throw new Error(`The scan came as ${header.dims.slice(1, 4)} voxels, not ${[width, height, depth]}: reload the page.`);
  }
  const data = new Kind(file, header.vox_offset, width * height * depth);
  return new Intensities(new VoxelVolume(data, shape), header.scl_slope || 1, header.scl_inter || 0);
}
