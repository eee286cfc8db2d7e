import { describe, expect, it } from "vitest";
import { joined } from "../src/slices";
import { neighbours, nextDrawn, nextSuggestion, rows, runs, standing } from "../src/timeline";
import type { Scan } from "../src/types";

const liver = { id: 1, name: "liver", colour: "#dd8265", frozen: false, volume_ml: 0 };
const scan = {
  structures: [liver],
  drawn: { axial: { "1": [12, 40] } },
  propagated: { axial: { "1": [[13, 39]] } },
  doubtful: { axial: { "1": [20, 21] } },
  corrected: { axial: { "1": [40] } },
} as unknown as Scan;

describe("the timeline", () => {
  it("says in words what a slice is", () => {
    const [row] = rows(scan, "axial");
    expect([11, 12, 20, 40].map((n) => standing(row!, n))).toEqual(["nothing yet", "drawn", "propagated, doubtful", "corrected"]);
  });

  it("is empty along an axis on which nothing was done", () => {
    expect(rows(scan, "coronal")[0]).toMatchObject({ drawn: [], propagated: [], doubtful: [], corrected: [] });
  });

  it("joins neighbouring slices", () => {
    expect(runs([9, 3, 5, 4])).toEqual([[3, 5], [9, 9]]);
    expect(runs([])).toEqual([]);
  });

  it("knows the drawn slices around", () => {
    expect(neighbours([12, 40, 60], 20)).toEqual([12, 40]);
    for (const index of [5, 12, 70]) expect(neighbours([12, 40, 60], index)).toBeNull();
    expect([nextDrawn([12, 40], 12, 1), nextDrawn([12, 40], 12, -1), nextDrawn([40, 12], 50, -1)]).toEqual([40, null, 40]);
  });

  it("goes down the suggestions and round, and begins again when a person went elsewhere", () => {
    const list = [33, 7].map((index) => ({ index, structure: 1, why: "far", gain: 0.1 }));
    expect(nextSuggestion(list, -1, 33)).toBe(0);
    expect(nextSuggestion(list, 0, 33)).toBe(1);
    expect(nextSuggestion(list, 1, 7)).toBe(0);
    expect(nextSuggestion(list, 0, 50)).toBe(0);
    expect(nextSuggestion([], -1, 0)).toBeNull();
  });
});

describe("slices that changed", () => {
  it("are asked for together where they are close, and apart where not", () => {
    const range = (first: number, last = first) => ({ axis: "axial" as const, first, last });
    expect(joined([range(31), range(30), range(90, 95), range(32)])).toEqual([range(30, 32), range(90, 95)]);
    expect(joined([range(1), { axis: "coronal", first: 2, last: 2 }])).toHaveLength(2);
  });
});
