import type { Axis, Scan } from "./types";

type Triple = [number, number, number];

/** Number of slices along an axis of a volume (Z, Y, X). */
export function sliceCount(shape: Triple, axis: Axis): number {
  return shape[dimension(axis)]!;
}

/** Rows and columns of a slice: axial (Y, X), coronal (Z, X), sagittal (Z, Y). */
export function sliceShape([z, y, x]: Triple, axis: Axis): [number, number] {
  return axis === "axial" ? [y, x] : axis === "coronal" ? [z, x] : [z, y];
}

/** Distance of rows and of columns in mm. */
export function pixelSpacing(scan: Scan, axis: Axis): [number, number] {
  return sliceShape(scan.spacing_mm, axis);
}

export function dimension(axis: Axis): 0 | 1 | 2 {
  return axis === "axial" ? 0 : axis === "coronal" ? 1 : 2;
}

/** The axis whose slices lie farthest apart: the one that the scan was taken along. */
export function acquiredAxis([z, y, x]: Triple): Axis {
  if (z * 1.1 >= Math.max(y, x)) return "axial";
  return y >= x ? "coronal" : "sagittal";
}

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/**
 * Where a slice lies on the screen: pixel edges (row, column) to canvas pixels and back.
 * `left`, `top` is the corner of pixel [0, 0]; the scales are canvas pixels per column and per row, and may be negative.
 */
export class Placement {
  constructor(
    readonly axis: Axis,
    readonly left: number,
    readonly top: number,
    readonly perColumn: number,
    readonly perRow: number,
    /** The part of the canvas that this slice may be drawn in: left, top, width, height. */
    readonly frame: [number, number, number, number],
  ) {}

  x(column: number): number {
    return this.left + column * this.perColumn;
  }

  y(row: number): number {
    return this.top + row * this.perRow;
  }

  row(y: number): number {
    return (y - this.top) / this.perRow;
  }

  column(x: number): number {
    return (x - this.left) / this.perColumn;
  }

  holds(x: number, y: number): boolean {
    const [left, top, width, height] = this.frame;
    return x >= left && y >= top && x < left + width && y < top + height;
  }
}
