import { readable } from "./format";
import type { Action, Scan } from "./types";

const NOTHING = btoa("\0"); // the bits of an empty mask, see Mask.pack

/** What an action did, in a few plain words for the status line. */
export function said(action: Action, scan: Scan): string {
  const name = "structure" in action ? readable(scan.structures.find((s) => s.id === action.structure)?.name ?? "It") : "";
  switch (action.do) {
    case "draw":
      return action.mask.bits === NOTHING ? `${name}: not on slice ${action.index}.` : `${name}: slice ${action.index} counts as drawn.`;
    case "brush":
    case "polygon":
      return `${name}: ${action.erase ? "taken away" : "drawn"} on slice ${action.index}.`;
    case "scribble":
    case "click":
    case "box":
      return `${name}: slice ${action.index} follows your ${action.do}.`;
    case "clear":
      return `${name}: slice ${action.index} is taken back.`;
    case "fill_between":
      return `${name}: filled between slices ${action.first} and ${action.last}.`;
    case "add":
      return `${readable(action.name)}: draw it on a slice or two, then press P to propagate.`;
    case "rename":
      return `It is ${name} now.`;
    case "remove":
      return "Removed. Undo brings it back.";
    case "lock":
      return `${name} is locked: nothing changes it.`;
    case "unlock":
      return `${name} can be changed again.`;
    case "undo":
      return "Undone.";
    case "redo":
      return "Done again.";
  }
}
