import { sliceShape, type Placement } from "../geometry";
import { send } from "../queue";
import { scan } from "../state";
import { isThere, pixel, target, type Target } from "./target";
import type { Point, Tool } from "./tool";

/** A box around the structure; the server finds it inside. */
export class Box implements Tool {
  private from: Point | null = null;
  private to: Point | null = null;
  private at: (Target & { colour: string }) | null = null;

  down(point: Point): void {
    this.at = target(point);
    if (this.at) this.from = this.to = point;
  }

  move(point: Point): void {
    if (this.from) this.to = point;
  }

  up(): void {
    const [from, to, found] = [this.from, this.to, this.at];
    if (!this.cancel() || !from || !to || !found) return;
    const shape = sliceShape(scan.value!.shape, found.axis);
    const [a, b] = [pixel(from, shape), pixel(to, shape)];
    const [top, left] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
    const [bottom, right] = [Math.max(a[0], b[0]) + 1, Math.max(a[1], b[1]) + 1]; // excluded
    if (bottom - top < 3 || right - left < 3) return; // a slip of the hand
    const { colour, ...at } = found;
    void send(
      { do: "box", ...at, box: [top, left, bottom, right] },
      { ...at, paint: (context, placement) => frame(context, placement, from, to, colour) },
    );
  }

  hover(): void {
    // nothing to show before the button is down
  }

  cancel(): boolean {
    const begun = this.from !== null;
    this.from = this.to = this.at = null;
    return begun;
  }

  finish(): boolean {
    return false;
  }

  paint(context: CanvasRenderingContext2D, at: Placement): void {
    if (this.at && isThere(this.at, at) && this.from && this.to) frame(context, at, this.from, this.to, this.at.colour);
  }
}

function frame(context: CanvasRenderingContext2D, at: Placement, a: Point, b: Point, colour: string): void {
  context.save();
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = colour;
  context.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  context.strokeRect(at.x(a.x), at.y(a.y), at.x(b.x) - at.x(a.x), at.y(b.y) - at.y(a.y));
  context.restore();
}
