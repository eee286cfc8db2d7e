import { plane } from "../format";
import type { Placement } from "../geometry";
import { indices } from "../state";
import type { Axis } from "../types";

/** Which side of the patient lies left, right, above and below. */
const SIDES: Record<Axis, [string, string, string, string]> = {
  axial: ["R", "L", "A", "P"],
  coronal: ["R", "L", "S", "I"],
  sagittal: ["A", "P", "S", "I"],
};

/** The letters at the edges of a slice, and its number where several are shown. */
export function drawEdges(context: CanvasRenderingContext2D, { axis, frame }: Placement, named: boolean): void {
  const [left, top, width, height] = frame;
  const size = devicePixelRatio;
  const write = (text: string, x: number, y: number): void => {
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  context.save();
  context.font = `600 ${13 * size}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 3 * size;
  context.strokeStyle = "rgba(0, 0, 0, 0.8)";
  context.fillStyle = "#8fb8e0";
  const [onLeft, onRight, above, below] = SIDES[axis];
  write(onLeft, left + 12 * size, top + height / 2);
  write(onRight, left + width - 12 * size, top + height / 2);
  write(above, left + width / 2, top + 12 * size);
  write(below, left + width / 2, top + height - 12 * size);
  context.textAlign = "left";
  context.fillStyle = "#dbe4ee";
  if (named) write(`${plane(axis)} ${indices.value[axis]}`, left + 10 * size, top + 14 * size);
  context.restore();
}
