import { axis, index, scan, structureId } from "./state";
import { AXES, type Axis } from "./types";

/** Where a person is, kept in the address, so that a reload comes back to it. */
export interface Place {
  scan: string | null;
  axis: Axis | null;
  slice: number | null;
  structure: number | null;
}

export function readPlace(address = window.location.hash): Place {
  const parts = new URLSearchParams(address.replace(/^#/, ""));
  const number = (name: string): number | null => (/^\d+$/.test(parts.get(name) ?? "") ? Number(parts.get(name)) : null);
  return {
    scan: parts.get("scan"),
    axis: AXES.find((a) => a === parts.get("axis")) ?? null,
    slice: number("slice"),
    structure: number("structure"),
  };
}

let timer = 0;

export function writePlace(): void {
  const id = scan.value?.id;
  if (!id) return;
  const parts = new URLSearchParams({ scan: id, axis: axis.value, slice: String(index.value) });
  if (structureId.value !== null) parts.set("structure", String(structureId.value));
  window.clearTimeout(timer); // browsers allow only so many changes of the address a second
  timer = window.setTimeout(() => window.history.replaceState(null, "", `#${parts}`), 200);
}
