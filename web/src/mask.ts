import type { PackedMask } from "./types";

/** Pixels of one slice that are set, with the box that holds them all. */
export class Mask {
  readonly pixels: Uint8Array;
  private top: number;
  private left: number;
  private bottom = 0; // excluded
  private right = 0;

  constructor(readonly height: number, readonly width: number) {
    this.pixels = new Uint8Array(height * width);
    this.top = height;
    this.left = width;
  }

  static where(height: number, width: number, labels: Uint8Array, id: number): Mask {
    const mask = new Mask(height, width);
    for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++, at++) if (labels[at] === id) mask.set(y, x);
    return mask;
  }

  get empty(): boolean {
    return this.bottom <= this.top;
  }

  /** Top, left, bottom, right of what is set; the last two excluded. */
  get box(): [number, number, number, number] {
    return [this.top, this.left, this.bottom, this.right];
  }

  /** A part of the slice as a mask of its own. */
  cut([top, left, bottom, right]: [number, number, number, number]): Mask {
    const part = new Mask(bottom - top, right - left);
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) if (this.pixels[y * this.width + x]) part.set(y - top, x - left);
    return part;
  }

  set(y: number, x: number): void {
    if (y < 0 || x < 0 || y >= this.height || x >= this.width) return;
    this.pixels[y * this.width + x] = 1;
    this.top = Math.min(this.top, y);
    this.left = Math.min(this.left, x);
    this.bottom = Math.max(this.bottom, y + 1);
    this.right = Math.max(this.right, x + 1);
  }

  /** An ellipse around a point (pixel centres lie at half numbers); the pixel under the point is always in. */
  disc(y: number, x: number, radiusY: number, radiusX: number): void {
    this.set(Math.floor(y), Math.floor(x));
    for (let row = Math.floor(y - radiusY); row <= y + radiusY; row++) {
      const rest = 1 - ((row + 0.5 - y) / radiusY) ** 2;
      if (rest < 0) continue;
      const reach = radiusX * Math.sqrt(rest);
      for (let column = Math.ceil(x - reach - 0.5); column + 0.5 <= x + reach; column++) this.set(row, column);
    }
  }

  /** Discs along a line, close enough to leave no gap. */
  stroke(from: [number, number], to: [number, number], radiusY: number, radiusX: number): void {
    const [dy, dx] = [to[0] - from[0], to[1] - from[1]];
    const steps = Math.max(1, Math.ceil(Math.hypot(dy / Math.max(radiusY, 0.5), dx / Math.max(radiusX, 0.5)) * 2));
    for (let step = 1; step <= steps; step++) {
      this.disc(from[0] + (dy * step) / steps, from[1] + (dx * step) / steps, radiusY, radiusX);
    }
  }

  /** As the server wants it; an empty mask is one unset pixel. */
  pack(): PackedMask {
    if (this.empty) return { top: 0, left: 0, shape: [1, 1], bits: base64(new Uint8Array(1)) };
    const shape: [number, number] = [this.bottom - this.top, this.right - this.left];
    const bits = new Uint8Array(Math.ceil((shape[0] * shape[1]) / 8));
    let at = 0;
    for (let y = this.top; y < this.bottom; y++) {
      for (let x = this.left; x < this.right; x++, at++) {
        if (this.pixels[y * this.width + x]) bits[at >> 3]! |= 0x80 >> (at & 7);
      }
    }
    return { top: this.top, left: this.left, shape, bits: base64(bits) };
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
