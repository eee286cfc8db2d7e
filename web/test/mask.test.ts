import { describe, expect, it } from "vitest";
import { Mask } from "../src/mask";
import { between, signedDistance } from "../src/interpolate";
import type { PackedMask } from "../src/types";

function unpacked({ top, left, shape, bits }: PackedMask, height: number, width: number): number[] {
  const bytes = Uint8Array.from(atob(bits), (c) => c.charCodeAt(0));
  const pixels = new Array<number>(height * width).fill(0);
  for (let n = 0; n < shape[0] * shape[1]; n++) {
    const [y, x] = [top + Math.floor(n / shape[1]), left + (n % shape[1])];
    pixels[y * width + x] = (bytes[n >> 3]! >> (7 - (n & 7))) & 1;
  }
  return pixels;
}

describe("a mask", () => {
  it("is packed row by row, high bit first, within its box", () => {
    const mask = new Mask(5, 6);
    for (const [y, x] of [[1, 2], [1, 4], [2, 3]] as const) mask.set(y, x);
    // the box is rows 1..2, columns 2..4: 101 010 -> 101010 00
    expect(mask.pack()).toEqual({ top: 1, left: 2, shape: [2, 3], bits: btoa("\xa8") });
  });

  it("comes back as it was", () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let round = 0; round < 30; round++) {
      const [height, width] = [1 + Math.floor(random() * 40), 1 + Math.floor(random() * 40)];
      const mask = new Mask(height, width);
      for (let n = 0; n < 20; n++) mask.set(Math.floor(random() * height), Math.floor(random() * width));
      expect(unpacked(mask.pack(), height, width)).toEqual([...mask.pixels]);
    }
  });

  it("with nothing in it is one unset pixel", () => {
    expect(new Mask(4, 4).pack()).toEqual({ top: 0, left: 0, shape: [1, 1], bits: btoa("\0") });
  });

  it("is cut off at the edge of the slice", () => {
    const mask = new Mask(4, 4);
    mask.disc(0, 0, 2, 2);
    mask.set(9, 9);
    expect([...mask.pixels]).toEqual([1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("has no gaps along a quick stroke", () => {
    const mask = new Mask(10, 100);
    mask.stroke([5.5, 2.5], [5.5, 97.5], 0.5, 0.5);
    const row = [...mask.pixels.subarray(500, 600)];
    expect(row.slice(3, 97).every(Boolean)).toBe(true);
  });

  it("is found by its label", () => {
    const mask = Mask.where(2, 2, Uint8Array.of(0, 3, 3, 1), 3);
    expect([...mask.pixels]).toEqual([0, 1, 1, 0]);
  });
});

describe("the shape between two drawn ones", () => {
  const square = (from: number, to: number): Mask => {
    const mask = new Mask(20, 20);
    for (let y = from; y < to; y++) for (let x = from; x < to; x++) mask.set(y, x);
    return mask;
  };
  const size = (mask: Mask): number => mask.pixels.reduce((sum, pixel) => sum + pixel, 0);

  it("is either at its ends and in between half way", () => {
    const [small, large] = [square(8, 12), square(4, 16)];
    expect([...between(small, large, 0, [1, 1]).pixels]).toEqual([...small.pixels]);
    expect([...between(small, large, 1, [1, 1]).pixels]).toEqual([...large.pixels]);
    expect(size(between(small, large, 0.5, [1, 1]))).toBe(64); // a square of 8
  });

  it("is nothing where one of them is nothing", () => {
    expect(between(new Mask(20, 20), square(4, 8), 0.5, [1, 1]).empty).toBe(true);
  });

  it("measures in mm", () => {
    const mask = new Mask(1, 7);
    for (let x = 2; x < 5; x++) mask.set(0, x);
    expect([...signedDistance(mask, [1, 2])]).toEqual([-4, -2, 2, 4, 2, -2, -4]);
  });
});
