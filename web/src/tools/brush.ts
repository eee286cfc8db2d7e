import { pixelSpacing, sliceShape, type Placement } from "../geometry";
import { Mask } from "../mask";
import { send } from "../queue";
import { radius, scan } from "../state";
import { lay, picture, rgb } from "../viewer/paint";
import { isThere, target, type Target } from "./target";
import { TAKE_AWAY_COLOUR, type Point, type Tool } from "./tool";

interface Stroke {
  mask: Mask;
  at: Target;
  erase: boolean;
  colour: string;
  last: Point;
}

/** Free drawing, and rubbing out. The brush is round on the screen, whatever the spacing of rows and columns. */
export class Brush implements Tool {
  private stroke: Stroke | null = null;
  private pointer: Point | null = null;

  constructor(private readonly erases: boolean) {}

  down(point: Point): void {
    const found = target(point);
    if (!found) return;
    const { colour, ...at } = found;
    const erase = this.erases !== point.opposite;
    const [height, width] = sliceShape(scan.value!.shape, at.axis);
    this.stroke = { mask: new Mask(height, width), at, erase, colour: erase ? TAKE_AWAY_COLOUR : colour, last: point };
    this.stroke.mask.disc(point.y, point.x, ...this.radii(point));
  }

  move(point: Point): void {
    this.pointer = point;
    if (!this.stroke) return;
    const { last } = this.stroke;
    this.stroke.mask.stroke([last.y, last.x], [point.y, point.x], ...this.radii(point));
    this.stroke.last = point;
  }

  up(): void {
    const stroke = this.stroke;
    this.stroke = null;
    if (!stroke || stroke.mask.empty) return;
    const { axis, index } = stroke.at;
    const image = coloured(stroke);
    void send(
      { do: "brush", ...stroke.at, mask: stroke.mask.pack(), erase: stroke.erase },
      { axis, index, paint: (context, at) => lay(context, image, at, 0.55) },
    );
  }

  hover(point: Point | null): void {
    this.pointer = point;
  }

  cancel(): boolean {
    const begun = this.stroke !== null;
    this.stroke = null;
    return begun;
  }

  finish(): boolean {
    return false;
  }

  paint(context: CanvasRenderingContext2D, at: Placement): void {
    if (this.stroke && isThere(this.stroke.at, at)) lay(context, coloured(this.stroke), at, 0.55);
    const pointer = this.pointer;
    if (pointer?.axis !== at.axis) return;
    const [radiusY, radiusX] = this.radii(pointer);
    context.save();
    context.beginPath();
    context.ellipse(
      at.x(pointer.x), at.y(pointer.y), Math.abs(radiusX * at.perColumn), Math.abs(radiusY * at.perRow), 0, 0, Math.PI * 2,
    );
    context.lineWidth = 3 * devicePixelRatio;
    context.strokeStyle = "rgba(0, 0, 0, 0.7)";
    context.stroke();
    context.lineWidth = 1.25 * devicePixelRatio;
    context.strokeStyle = this.erases !== pointer.opposite ? TAKE_AWAY_COLOUR : "#ffffff";
    context.stroke();
    context.restore();
  }

  private radii(point: Point): [number, number] {
    const [rowMm, columnMm] = pixelSpacing(scan.value!, point.axis);
    const finest = Math.min(rowMm, columnMm);
    return [Math.max(0.5, (radius.value * finest) / rowMm), Math.max(0.5, (radius.value * finest) / columnMm)];
  }
}

function coloured({ mask, colour }: Stroke): HTMLCanvasElement {
  const [r, g, b] = rgb(colour);
  const table = new Uint32Array(256);
  new Uint8Array(table.buffer).set([r, g, b, 255], 4);
  return picture(mask.pixels, mask.height, mask.width, table);
}
