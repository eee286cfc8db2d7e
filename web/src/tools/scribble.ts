import { sliceShape, type Placement } from "../geometry";
import { send } from "../queue";
import { scan, takingAway } from "../state";
import { isThere, pixel, target, type Target } from "./target";
import { signColour, type Point, type Tool } from "./tool";

const RADIUS = 2; // pixels: a scribble is a hint, not a shape

/** A quick line through what is meant, or through what is not; the server makes a mask of it. */
export class Scribble implements Tool {
  private points: Point[] = [];
  private at: Target | null = null;
  private negative = false;
  private pointer: Point | null = null;

  down(point: Point): void {
    const found = target(point);
    if (!found) return;
    this.at = { structure: found.structure, axis: found.axis, index: found.index };
    this.negative = takingAway.value !== point.opposite;
    this.points = [point];
  }

  move(point: Point): void {
    this.pointer = point;
    if (this.at) this.points.push(point);
  }

  up(): void {
    const [points, at, negative] = [this.points, this.at, this.negative];
    if (!this.cancel() || !at) return;
    const shape = sliceShape(scan.value!.shape, at.axis);
    const line = points.map((point) => pixel(point, shape)).filter((p, n, all) => p.join() !== all[n - 1]?.join());
    void send(
      { do: "scribble", ...at, positive: negative ? [] : [line], negative: negative ? [line] : [], radius: RADIUS },
      { ...at, paint: (context, placement) => trace(context, placement, points, negative) },
    );
  }

  hover(point: Point | null): void {
    this.pointer = point;
  }

  cancel(): boolean {
    const begun = this.at !== null;
    this.points = [];
    this.at = null;
    return begun;
  }

  finish(): boolean {
    return false;
  }

  paint(context: CanvasRenderingContext2D, at: Placement): void {
    if (isThere(this.at, at)) trace(context, at, this.points, this.negative);
    else if (this.pointer?.axis === at.axis) trace(context, at, [this.pointer], takingAway.value !== this.pointer.opposite);
  }
}

function trace(context: CanvasRenderingContext2D, at: Placement, points: readonly Point[], negative: boolean): void {
  context.save();
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = Math.max(2 * RADIUS * Math.abs(at.perColumn), 4 * devicePixelRatio);
  context.strokeStyle = signColour(negative);
  context.globalAlpha = 0.85;
  context.beginPath();
  context.moveTo(at.x(points[0]!.x), at.y(points[0]!.y));
  for (const point of points) context.lineTo(at.x(point.x), at.y(point.y));
  context.stroke();
  context.restore();
}
