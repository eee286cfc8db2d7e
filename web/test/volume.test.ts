import { describe, expect, it } from "vitest";
import { acquiredAxis, Placement } from "../src/geometry";
import { VoxelVolume } from "../src/voxels";
import { readPlace } from "../src/place";
import { outlines } from "../src/viewer/outline";

const volume = (): VoxelVolume => new VoxelVolume(Uint8Array.from({ length: 24 }, (_, n) => n), [2, 3, 4]);

describe("a volume of voxels", () => {
  it("is cut along each axis", () => {
    expect([...volume().slice("axial", 1)]).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    expect([...volume().slice("coronal", 2)]).toEqual([8, 9, 10, 11, 20, 21, 22, 23]);
    expect([...volume().slice("sagittal", 3)]).toEqual([3, 7, 11, 15, 19, 23]);
  });

  it("takes new slices in their place, and nothing else changes", () => {
    for (const [axis, index] of [["axial", 1], ["coronal", 2], ["sagittal", 0]] as const) {
      const changed = volume();
      const block = changed.slice(axis, index).map((v) => v + 100);
      changed.put({ axis, first: index, last: index }, block);
      expect([...changed.slice(axis, index)]).toEqual([...block]);
      const touched = changed.data.filter((v, n) => v !== n).length;
      expect(touched).toBe(block.length);
    }
  });

  it("refuses a block of another size", () => {
    expect(() => volume().put({ axis: "axial", first: 0, last: 0 }, new Uint8Array(5))).toThrow(RangeError);
  });
});

describe("outlines", () => {
  it("run around a label as long as they go", () => {
    const edges = outlines(Uint8Array.of(0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0), 3, 4).get(2)!;
    const lines = (numbers: number[]): string[] => [numbers.slice(0, 3).join(), numbers.slice(3).join()].sort();
    expect(lines(edges.horizontal)).toEqual(["1,1,3", "2,1,3"]); // y, then x from and to
    expect(lines(edges.vertical)).toEqual(["1,1,2", "3,1,2"]); // x, then y from and to
  });

  it("are drawn on both sides of a border between labels", () => {
    const found = outlines(Uint8Array.of(1, 2), 1, 2);
    expect(found.get(1)!.vertical).toContain(1);
    expect(found.get(2)!.vertical).toContain(1);
  });
});

describe("where a slice lies", () => {
  it("goes to the screen and back, mirrored too", () => {
    const at = new Placement("coronal", 100, 400, 2, -3, [0, 0, 800, 600]);
    expect([at.x(10), at.y(20)]).toEqual([120, 340]);
    expect([at.column(at.x(7.25)), at.row(at.y(3.5))]).toEqual([7.25, 3.5]);
    expect([at.holds(799, 599), at.holds(800, 0)]).toEqual([true, false]);
  });

  it("begins along the axis of the thickest slices", () => {
    expect([acquiredAxis([5, 1, 1]), acquiredAxis([1, 1, 1]), acquiredAxis([1, 4, 1]), acquiredAxis([1, 1, 4])])
      .toEqual(["axial", "axial", "coronal", "sagittal"]);
  });

  it("is read from the address, whatever stands there", () => {
    expect(readPlace("#scan=ab&axis=coronal&slice=7&structure=2")).toEqual({ scan: "ab", axis: "coronal", slice: 7, structure: 2 });
    expect(readPlace("#axis=up&slice=-3&structure=x")).toEqual({ scan: null, axis: null, slice: null, structure: null });
  });
});
