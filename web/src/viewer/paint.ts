import { sliceShape, type Placement } from "../geometry";
import type { VoxelVolume } from "../voxels";
import type { Structure } from "../types";
import { outlines, pathOf } from "./outline";

export function rgb(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/** A picture of one value per pixel, through a table of colours; drawn without smoothing, pixel for pixel. */
export function picture(values: Uint8Array, height: number, width: number, table: Uint32Array): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < values.length; at++) pixels[at] = table[values[at]!]!;
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

const rgba = ([r, g, b]: [number, number, number], alpha: number): number =>
  new DataView(new Uint8Array([r, g, b, Math.round(alpha * 255)]).buffer).getUint32(0, LITTLE_ENDIAN);
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Labels as colours, without those that are hidden. */
export function labelTable(structures: readonly Structure[], hidden: ReadonlySet<number>): Uint32Array {
  const table = new Uint32Array(256);
  for (const { id, colour } of structures) if (!hidden.has(id)) table[id] = rgba(rgb(colour), 1);
  return table;
}

/** Doubt as heat: nothing below a fifth of it, then amber that thickens to red. */
export function heatTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, doubt) => {
    const heat = Math.max(0, doubt / 255 - 0.2) / 0.8;
    return rgba([255, Math.round(190 * (1 - heat)) + 20, 20], heat === 0 ? 0 : 0.25 + 0.6 * heat);
  });
}

/** Copies a picture of a slice to where the slice lies. */
export function lay(context: CanvasRenderingContext2D, image: HTMLCanvasElement, at: Placement, alpha = 1): void {
  context.save();
  context.globalAlpha = alpha;
  context.imageSmoothingEnabled = false;
  context.setTransform(at.perColumn, 0, 0, at.perRow, at.left, at.top);
  context.drawImage(image, 0, 0);
  context.restore();
}

/** A path in pixels of the slice as a path on the screen, so that its line is of even width. */
export function placed(path: Path2D, at: Placement): Path2D {
  const onScreen = new Path2D();
  onScreen.addPath(path, new DOMMatrix([at.perColumn, 0, 0, at.perRow, at.left, at.top]));
  return onScreen;
}

/** Fill and outlines of one slice of labels, kept until the slice or the voxels change. */
export class LabelledSlice {
  readonly values: Uint8Array;
  private fill: { table: string; image: HTMLCanvasElement } | null = null;
  private lines: Map<number, Path2D> | null = null;

  constructor(volume: VoxelVolume, placement: Placement, index: number) {
    this.values = volume.slice(placement.axis, index);
    [this.height, this.width] = sliceShape(volume.shape, placement.axis);
  }

  readonly height: number;
  readonly width: number;

  filled(table: Uint32Array): HTMLCanvasElement {
    const key = table.join();
    if (this.fill?.table !== key) this.fill = { table: key, image: picture(this.values, this.height, this.width, table) };
    return this.fill.image;
  }

  outlined(): Map<number, Path2D> {
    this.lines ??= new Map([...outlines(this.values, this.height, this.width)].map(([id, edges]) => [id, pathOf(edges)]));
    return this.lines;
  }
}
