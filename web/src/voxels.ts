import { sliceShape } from "./geometry";
import type { Axis, SliceRange } from "./types";

export type VoxelArray =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** Voxels (Z, Y, X) of a scan, x fastest: intensities, labels, or uncertainty. */
export class VoxelVolume<T extends VoxelArray = Uint8Array> {
  constructor(readonly data: T, readonly shape: [number, number, number]) {}

  /** One slice, row by row, as a copy. */
  slice(axis: Axis, index: number): T {
    const [rows, columns] = sliceShape(this.shape, axis);
    const [, height, width] = this.shape;
    if (axis === "axial") return this.data.slice(index * rows * columns, (index + 1) * rows * columns) as T;
    const slice = this.data.slice(0, rows * columns) as T; // of the same type; filled below
    for (let z = 0; z < rows; z++) {
      if (axis === "coronal") {
        const start = (z * height + index) * width;
        slice.set(this.data.subarray(start, start + width), z * width);
      } else {
        for (let y = 0, at = z * height * width + index; y < height; y++, at += width) slice[z * height + y] = this.data[at]!;
      }
    }
    return slice;
  }

  /** Puts slices first..last, which came as a block (Z', Y', X') of the volume's own order, in their place. */
  put(range: SliceRange, block: T): void {
    const [depth, height, width] = this.shape;
    const start: [number, number, number] = [0, 0, 0];
    const size: [number, number, number] = [depth, height, width];
    const along = range.axis === "axial" ? 0 : range.axis === "coronal" ? 1 : 2;
    start[along] = range.first;
    size[along] = range.last - range.first + 1;
    if (block.length !== size[0] * size[1] * size[2]) throw new RangeError(`${block.length} voxels for ${size}`);
    let at = 0;
    for (let z = 0; z < size[0]; z++) {
      for (let y = 0; y < size[1]; y++, at += size[2]) {
        const to = ((start[0] + z) * height + start[1] + y) * width + start[2];
        this.data.set(block.subarray(at, at + size[2]), to);
      }
    }
  }
}
