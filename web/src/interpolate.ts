import { Mask } from "./mask";

/**
 * The shape between two drawn ones: signed distances to both outlines, mixed by nearness, where positive.
 * Raya and Udupa, Shape-based interpolation of multidimensional objects, 1990.
 *
 * `fraction` is 0 at `before` and 1 at `after`; spacings are the slice's own, in mm.
 */
export function between(before: Mask, after: Mask, fraction: number, spacing: [number, number]): Mask {
  const [height, width] = [before.height, before.width];
  const mask = new Mask(height, width);
  if (before.empty || after.empty) return mask;
  const box = around(before, after);
  const [first, second] = [signedDistance(before.cut(box), spacing), signedDistance(after.cut(box), spacing)];
  const [top, left, bottom, right] = box;
  for (let y = top, at = 0; y < bottom; y++) {
    for (let x = left; x < right; x++, at++) {
      if ((1 - fraction) * first[at]! + fraction * second[at]! > 0) mask.set(y, x);
    }
  }
  return mask;
}

/** The box of both and a pixel more: all that is inside either, and of the outside what is nearest to it. */
function around(a: Mask, b: Mask): [number, number, number, number] {
  const [one, other] = [a.box, b.box];
  return [
    Math.max(0, Math.min(one[0], other[0]) - 1),
    Math.max(0, Math.min(one[1], other[1]) - 1),
    Math.min(a.height, Math.max(one[2], other[2]) + 1),
    Math.min(a.width, Math.max(one[3], other[3]) + 1),
  ];
}

/** Distance to the outline, positive inside. */
export function signedDistance(mask: Mask, spacing: [number, number]): Float32Array {
  const toOutside = squaredDistance(mask, 0, spacing);
  const toInside = squaredDistance(mask, 1, spacing);
  return toOutside.map((inside, at) => Math.sqrt(inside) - Math.sqrt(toInside[at]!));
}

const FAR = 1e12;

/** Squared distance to the nearest pixel of a value: Felzenszwalb and Huttenlocher, columns first, then rows. */
function squaredDistance(mask: Mask, value: 0 | 1, [rowMm, columnMm]: [number, number]): Float32Array {
  const { height, width } = mask;
  const squared = Float32Array.from(mask.pixels, (pixel) => (pixel === value ? 0 : FAR));
  const scratch = new Envelope(Math.max(height, width));
  for (let x = 0; x < width; x++) scratch.transform(squared, x, width, height, rowMm);
  for (let y = 0; y < height; y++) scratch.transform(squared, y * width, 1, width, columnMm);
  return squared;
}

/** The lower envelope of parabolas over one line, with its arrays kept for the next line. */
class Envelope {
  private readonly line: Float64Array;
  private readonly vertex: Int32Array;
  private readonly border: Float64Array;

  constructor(length: number) {
    this.line = new Float64Array(length);
    this.vertex = new Int32Array(length);
    this.border = new Float64Array(length + 1);
  }

  transform(values: Float32Array, start: number, stride: number, length: number, mm: number): void {
    const { line, vertex, border } = this;
    for (let n = 0; n < length; n++) line[n] = values[start + n * stride]! / (mm * mm);
    let last = 0;
    vertex[0] = 0;
    border[0] = -Infinity;
    border[1] = Infinity;
    for (let n = 1; n < length; n++) {
      let crossing = this.crossing(n, vertex[last]!);
      while (crossing <= border[last]!) crossing = this.crossing(n, vertex[--last]!);
      vertex[++last] = n;
      border[last] = crossing;
      border[last + 1] = Infinity;
    }
    for (let n = 0, at = 0; n < length; n++) {
      while (border[at + 1]! < n) at++;
      const v = vertex[at]!;
      values[start + n * stride] = ((n - v) ** 2 + line[v]!) * mm * mm;
    }
  }

  private crossing(n: number, v: number): number {
    return (this.line[n]! + n * n - this.line[v]! - v * v) / (2 * (n - v));
  }
}
