import { sliceShape, type Placement } from "../geometry";
import { send } from "../queue";
import { scan, takingAway } from "../state";
import { pixel, target } from "./target";
import { signColour, type Point, type Tool } from "./tool";

/** One click on what is meant, or on what is not; the server makes a mask of all clicks on the slice. */
export class Click implements Tool {
  private pointer: Point | null = null;

  down(point: Point): void {
    const found = target(point);
    if (!found) return;
    const at = { structure: found.structure, axis: found.axis, index: found.index };
    const negative = takingAway.value !== point.opposite;
    const where = [pixel(point, sliceShape(scan.value!.shape, at.axis))];
    void send(
      { do: "click", ...at, positive: negative ? [] : where, negative: negative ? where : [] },
      { ...at, paint: (context, placement) => dot(context, placement, point, negative) },
    );
  }

  move(point: Point): void {
    this.pointer = point;
  }

  up(): void {
    // the click was sent when the button went down
  }

  hover(point: Point | null): void {
    this.pointer = point;
  }

  cancel(): boolean {
    return false;
  }

  finish(): boolean {
    return false;
  }

  paint(context: CanvasRenderingContext2D, at: Placement): void {
    if (this.pointer?.axis === at.axis) dot(context, at, this.pointer, takingAway.value !== this.pointer.opposite);
  }
}

function dot(context: CanvasRenderingContext2D, at: Placement, point: Point, negative: boolean): void {
  const [x, y, arm] = [at.x(point.x), at.y(point.y), 4 * devicePixelRatio];
  context.save();
  context.beginPath();
  context.arc(x, y, 7 * devicePixelRatio, 0, Math.PI * 2);
  context.fillStyle = signColour(negative);
  context.fill();
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = "#10151c";
  context.beginPath();
  context.moveTo(x - arm, y);
  context.lineTo(x + arm, y);
  if (!negative) {
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
  }
  context.stroke();
  context.restore();
}
