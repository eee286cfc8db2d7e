import { tool, type ToolName } from "../state";
import { Box } from "./box";
import { Brush } from "./brush";
import { Click } from "./click";
import { Look } from "./look";
import { Polygon } from "./polygon";
import { Scribble } from "./scribble";
import type { Tool } from "./tool";

const TOOLS: Record<ToolName, Tool> = {
  look: new Look(),
  brush: new Brush(false),
  eraser: new Brush(true),
  polygon: new Polygon(),
  scribble: new Scribble(),
  click: new Click(),
  box: new Box(),
};

/** The tool that is held. */
export const hand = (): Tool => TOOLS[tool.value];

/** Takes another tool; what the one before had begun is given up. */
export function take(name: ToolName): void {
  hand().cancel();
  hand().hover(null);
  tool.value = name;
}
