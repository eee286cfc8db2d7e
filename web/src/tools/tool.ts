import type { Placement } from "../geometry";
import type { Axis } from "../types";

/** Where on a slice the pointer is: pixel edges, so that the middle of pixel [0, 0] is 0.5, 0.5. */
export interface Point {
  axis: Axis;
  index: number;
  y: number;
  x: number;
  /** Shift held: the tool does the opposite. */
  opposite: boolean;
}

/** What is done with the pointer on a slice. Positions while the button is up arrive as `hover`. */
export interface Tool {
  down(point: Point): void;
  move(point: Point): void;
  up(point: Point): void;
  hover(point: Point | null): void;
  /** Gives up what is begun; false where nothing is. */
  cancel(): boolean;
  /** Ends what is begun, where it has no other end; false where nothing is. */
  finish(): boolean;
  /** Takes back the last step of what is begun; false where nothing is. */
  back?(): boolean;
  paint(context: CanvasRenderingContext2D, at: Placement): void;
}

export const ADD_COLOUR = "#7dff9b";
export const TAKE_AWAY_COLOUR = "#ff7a7a";

export const signColour = (negative: boolean): string => (negative ? TAKE_AWAY_COLOUR : ADD_COLOUR);
