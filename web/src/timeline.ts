import type { Axis, Scan, Structure, Suggestion } from "./types";

/** What is known about one structure along one axis. */
export interface Row {
  structure: Structure;
  drawn: number[];
  propagated: [number, number][];
  doubtful: number[];
  corrected: number[];
}

export function rows(scan: Scan, axis: Axis): Row[] {
  return scan.structures.map((structure) => {
    const id = String(structure.id);
    return {
      structure,
      drawn: scan.drawn[axis]?.[id] ?? [],
      propagated: scan.propagated[axis]?.[id] ?? [],
      doubtful: scan.doubtful[axis]?.[id] ?? [],
      corrected: scan.corrected[axis]?.[id] ?? [],
    };
  });
}

/** Neighbouring numbers joined: [3, 4, 5, 9] is [[3, 5], [9, 9]]. */
export function runs(numbers: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && n <= last[1] + 1) last[1] = n;
    else found.push([n, n]);
  }
  return found;
}

/** What a slice is for a structure, in words. */
export function standing(row: Row, index: number): string {
  const words: string[] = [];
  if (row.corrected.includes(index)) words.push("corrected");
  else if (row.drawn.includes(index)) words.push("drawn");
  else if (row.propagated.some(([first, last]) => first <= index && index <= last)) words.push("propagated");
  if (row.doubtful.includes(index)) words.push("doubtful");
  return words.length ? words.join(", ") : "nothing yet";
}

/** The drawn slices around one that is not drawn itself; null where it has none on one side. */
export function neighbours(drawn: readonly number[], index: number): [number, number] | null {
  if (drawn.includes(index)) return null;
  const before = Math.max(...drawn.filter((n) => n < index));
  const after = Math.min(...drawn.filter((n) => n > index));
  return Number.isFinite(before) && Number.isFinite(after) ? [before, after] : null;
}

/** The nearest drawn slice in a direction. */
export function nextDrawn(drawn: readonly number[], index: number, step: 1 | -1): number | null {
  const beyond = drawn.filter((n) => (n - index) * step > 0);
  if (beyond.length === 0) return null;
  return step > 0 ? Math.min(...beyond) : Math.max(...beyond);
}

/** The suggestion after the one that is shown: the best one first, then down the list and round. */
export function nextSuggestion(list: readonly Suggestion[], shown: number, index: number): number | null {
  if (list.length === 0) return null;
  return shown >= 0 && shown < list.length && list[shown]!.index === index ? (shown + 1) % list.length : 0;
}
