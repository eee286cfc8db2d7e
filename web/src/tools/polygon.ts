import { sliceShape, type Placement } from "../geometry";
import { send } from "../queue";
import { scan, takingAway } from "../state";
import { isThere, pixel, target, type Target } from "./target";
import { TAKE_AWAY_COLOUR, type Point, type Tool } from "./tool";

const CLOSE_ENOUGH = 9; // CSS pixels from the first corner
const DRAGGED = 4; // CSS pixels after which a click is a lasso

/** Corners by clicks, closed at the first one, by double click or Enter; or a lasso by dragging. */
export class Polygon implements Tool {
  private points: Point[] = [];
  private at: (Target & { colour: string }) | null = null;
  private erase = false;
  private pointer: Point | null = null;
  private pressed: Point | null = null;
  private lasso = false;
  private placement: Placement | null = null;

  down(point: Point): void {
    if (this.at && (this.at.axis !== point.axis || this.at.index !== point.index)) this.cancel();
    if (this.points.length === 0) {
      this.at = target(point);
      if (!this.at) return;
      this.erase = takingAway.value !== point.opposite;
    } else if (this.points.length > 2 && (this.near(point, this.points[0]!) || this.near(point, this.points.at(-1)!))) {
      this.finish();
      return;
    }
    this.points.push(point);
    this.pressed = point;
  }

  move(point: Point): void {
    this.pointer = point;
    if (!this.pressed || !this.at) return;
    if (!this.lasso && this.points.length === 1) this.lasso = this.distance(point, this.pressed) > DRAGGED;
    if (this.lasso && this.distance(point, this.points.at(-1)!) > 2) this.points.push(point);
  }

  up(): void {
    this.pressed = null;
    if (this.lasso) this.finish();
  }

  hover(point: Point | null): void {
    this.pointer = point;
  }

  cancel(): boolean {
    const begun = this.points.length > 0;
    this.points = [];
    this.at = this.pressed = null;
    this.lasso = false;
    return begun;
  }

  back(): boolean {
    if (this.points.length < 2) return this.cancel();
    this.points.pop();
    return true;
  }

  finish(): boolean {
    const [points, found, erase] = [this.points, this.at, this.erase];
    if (!this.cancel() || !found) return false;
    if (points.length < 3) return true;
    const { colour, ...at } = found;
    const shape = sliceShape(scan.value!.shape, at.axis);
    void send(
      { do: "polygon", ...at, points: points.map((point) => pixel(point, shape)), erase },
      { ...at, paint: (context, placement) => trace(context, placement, points, erase ? TAKE_AWAY_COLOUR : colour, true) },
    );
    return true;
  }

  paint(context: CanvasRenderingContext2D, placement: Placement): void {
    if (!this.at || !isThere(this.at, placement)) return;
    this.placement = placement;
    const ahead = this.pointer?.axis === placement.axis && !this.lasso ? [this.pointer] : [];
    trace(context, placement, [...this.points, ...ahead], this.erase ? TAKE_AWAY_COLOUR : this.at.colour, false);
    if (!this.lasso) for (const point of this.points) corner(context, placement, point);
  }

  private near(a: Point, b: Point): boolean {
    return this.distance(a, b) < CLOSE_ENOUGH;
  }

  private distance(a: Point, b: Point): number {
    const at = this.placement;
    return at ? Math.hypot((a.x - b.x) * at.perColumn, (a.y - b.y) * at.perRow) / devicePixelRatio : Infinity;
  }
}

function trace(
  context: CanvasRenderingContext2D, at: Placement, points: readonly Point[], colour: string, closed: boolean,
): void {
  context.save();
  context.beginPath();
  for (const point of points) context.lineTo(at.x(point.x), at.y(point.y));
  if (closed) context.closePath();
  context.globalAlpha = 0.3;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = colour;
  context.stroke();
  context.restore();
}

function corner(context: CanvasRenderingContext2D, at: Placement, point: Point): void {
  const size = 3 * devicePixelRatio;
  context.fillStyle = "#ffffff";
  context.fillRect(at.x(point.x) - size, at.y(point.y) - size, 2 * size, 2 * size);
}
