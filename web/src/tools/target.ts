import type { Placement } from "../geometry";
import { complain, indices, scan, structure } from "../state";
import type { Axis, Structure } from "../types";
import type { Point } from "./tool";

export interface Target {
  structure: number;
  axis: Axis;
  index: number;
}

/** The structure that a tool works on, if it may be changed; otherwise a line says why not. */
export function target(point: { axis: Axis; index: number }): (Target & { colour: string }) | null {
  const now: Structure | null = structure.value;
  if (!scan.value) return null;
  if (!now) complain("There is no structure yet: add one on the right, then draw.");
  else if (now.frozen) complain(`${now.name} is locked: unlock it to change it (G).`);
  else return { structure: now.id, axis: point.axis, index: point.index, colour: now.colour };
  return null;
}

/** Whether what a tool has begun belongs to the slice that is shown at a place. */
export function isThere(begun: { axis: Axis; index: number } | null | undefined, { axis }: Placement): boolean {
  return begun?.axis === axis && begun.index === indices.value[axis];
}

/** The pixel under a point, kept within the slice. */
export function pixel(point: Point, [height, width]: [number, number]): [number, number] {
  const within = (value: number, size: number): number => Math.min(Math.max(Math.floor(value), 0), size - 1);
  return [within(point.y, height), within(point.x, width)];
}
