import { clamp, Placement, sliceShape } from "../geometry";
import type { Layout } from "../state";
import { AXES, type Axis, type IntensityWindow } from "../types";
import type { Intensities } from "./intensities";

/** Canonical array axes (z, y, x) that run down and across a slice. */
const PLANE: Record<Axis, [0 | 1 | 2, 0 | 1 | 2]> = { axial: [1, 2], coronal: [0, 2], sagittal: [0, 1] };
const MARGIN = 0.96;

/**
 * The scan in grey, in radiological convention: the patient's right on the left, front and head above.
 *
 * Slices are drawn on a plain canvas: a window takes about a millisecond a slice on any machine. NiiVue, which shows
 * the structures in space, sends the whole scan through the graphics card for each step of a window: seconds where
 * that card is emulated, and 4 bytes a voxel of its memory.
 */
export class SliceViewer {
  placements: Placement[] = [];
  onDrawn: () => void = () => undefined;
  private readonly context: CanvasRenderingContext2D;
  private scan: Intensities | null = null;
  private spacing_mm: [number, number, number] = [1, 1, 1];
  private shown: IntensityWindow = { name: "", level: 0, width: 1 };
  private layout: Layout = "axial";
  private indices: Record<Axis, number> = { axial: 0, coronal: 0, sagittal: 0 };
  private grey: Partial<Record<Axis, { key: string; image: HTMLCanvasElement }>> = {};
  private zoomed = 1;
  private moved_mm: [number, number, number] = [0, 0, 0]; // of the picture, along (z, y, x)
  private due = false;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d", { alpha: false })!;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  load(scan: Intensities, spacing_mm: [number, number, number]): void {
    [this.scan, this.spacing_mm, this.grey] = [scan, spacing_mm, {}];
    this.resetView();
  }

  setWindow(shown: IntensityWindow): void {
    this.shown = shown;
    this.draw();
  }

  setLayout(layout: Layout): void {
    this.layout = layout;
    this.draw();
  }

  setIndices(indices: Record<Axis, number>): void {
    this.indices = indices;
    this.draw();
  }

  resetView(): void {
    [this.zoomed, this.moved_mm] = [1, [0, 0, 0]];
    this.draw();
  }

  /** Moves the picture by canvas pixels. */
  pan({ axis, perRow, perColumn }: Placement, dx: number, dy: number): void {
    const [down, across] = PLANE[axis];
    this.moved_mm[across] += (dx / perColumn) * this.spacing_mm[across];
    this.moved_mm[down] += (dy / perRow) * this.spacing_mm[down];
    this.draw();
  }

  /** Zooms by a factor; what lies under the point (canvas pixels) stays there. */
  zoom(at: Placement, factor: number, x: number, y: number): void {
    const next = clamp(this.zoomed * factor, 0.5, 24);
    const [down, across] = PLANE[at.axis];
    const [rows, columns] = sliceShape(this.scan!.volume.shape, at.axis);
    const closer = this.zoomed / next - 1; // mm from the middle shrink by this
    this.moved_mm[across] += (at.column(x) - columns / 2) * this.spacing_mm[across] * closer + this.moved_mm[across] * closer;
    this.moved_mm[down] += (at.row(y) - rows / 2) * this.spacing_mm[down] * closer + this.moved_mm[down] * closer;
    this.zoomed = next;
    this.draw();
  }

  /** On the next frame, however often it is asked for. */
  draw(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      if (!this.scan || this.canvas.width === 0) return;
      this.context.fillStyle = "#000";
      this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      this.placements = this.frames().map(([axis, frame]) => this.place(axis, frame));
      for (const placement of this.placements) this.drawSlice(placement);
      this.onDrawn();
    });
  }

  private resize(): void {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
    if (this.canvas.width === width && this.canvas.height === height) return;
    [this.canvas.width, this.canvas.height] = [width, height];
    this.draw();
  }

  /** Which slices are shown, and where: left, top, width, height. The fourth quarter is for the view in space. */
  private frames(): [Axis, Placement["frame"]][] {
    const { width, height } = this.canvas;
    if (this.layout === "render") return [];
    if (this.layout !== "four") return [[this.layout, [0, 0, width, height]]];
    const [w, h] = [width / 2, height / 2];
    return AXES.map((axis, n) => [axis, [(n % 2) * w, n > 1 ? h : 0, w, h]]);
  }

  private place(axis: Axis, frame: Placement["frame"]): Placement {
    const [down, across] = PLANE[axis];
    const [rows, columns] = sliceShape(this.scan!.volume.shape, axis);
    const [rowMm, columnMm] = [this.spacing_mm[down], this.spacing_mm[across]];
    const [left, top, width, height] = frame;
    const perMm = Math.min(width / (columns * columnMm), height / (rows * rowMm)) * MARGIN * this.zoomed;
    const up = axis === "axial" ? 1 : -1; // rows of the other planes begin at the feet
    const [perColumn, perRow] = [columnMm * perMm, rowMm * perMm * up];
    const x = left + width / 2 + this.moved_mm[across] * perMm - (columns / 2) * perColumn;
    const y = top + height / 2 + this.moved_mm[down] * perMm * up - (rows / 2) * perRow;
    return new Placement(axis, x, y, perColumn, perRow, frame);
  }

  private drawSlice(at: Placement): void {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(...at.frame);
    context.clip();
    context.imageSmoothingQuality = "high";
    context.setTransform(at.perColumn, 0, 0, at.perRow, at.left, at.top);
    context.drawImage(this.picture(at.axis), 0, 0);
    context.restore();
  }

  private picture(axis: Axis): HTMLCanvasElement {
    const [scan, index] = [this.scan!, this.indices[axis]];
    const [low, high] = scan.range(this.shown);
    const key = [index, low, high].join(" ");
    const known = this.grey[axis];
    if (known?.key === key) return known.image;
    const values = scan.volume.slice(axis, index);
    const [rows, columns] = sliceShape(scan.volume.shape, axis);
    const canvas = known?.image ?? document.createElement("canvas");
    if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
    const image = new ImageData(columns, rows);
    const pixels = new Uint8ClampedArray(image.data.buffer); // clamps and rounds by itself
    const scale = 255 / (high - low);
    for (let n = 0, to = 0; n < values.length; n++, to += 4) {
      pixels[to] = pixels[to + 1] = pixels[to + 2] = (values[n]! - low) * scale;
      pixels[to + 3] = 255;
    }
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    this.grey[axis] = { key, image: canvas };
    return canvas;
  }
}
