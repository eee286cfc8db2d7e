import { describe, expect, it } from "vitest";
import { bytes, millilitres, names, progress } from "../src/format";
import { chordFor, chordOf, keyFor, KEYS } from "../src/keys";
import type { Scan } from "../src/types";

const pressed = (key: string, code = "", held: Partial<Record<"ctrlKey" | "metaKey" | "shiftKey" | "altKey", boolean>> = {}) =>
  chordOf({ key, code, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });

describe("keys", () => {
  it("have one meaning each", () => {
    const chords = KEYS.flatMap((key) => key.chords);
    expect(new Set(chords).size).toBe(chords.length);
    expect(new Set(KEYS.map((key) => key.id)).size).toBe(KEYS.length);
  });

  it("are read from events, on whatever keyboard", () => {
    expect(pressed("z", "KeyZ", { ctrlKey: true })).toBe("Ctrl+Z");
    expect(pressed("Z", "KeyZ", { metaKey: true, shiftKey: true })).toBe("Ctrl+Shift+Z");
    expect(pressed("?", "Slash", { shiftKey: true })).toBe("?");
    expect(pressed("ß", "Minus")).toBe("SS"); // no key of ours, and no error
    expect(pressed("!", "Digit1", { shiftKey: true })).toBe("Shift+1");
    expect(pressed("3", "Digit3")).toBe("3");
    expect(pressed("ArrowLeft", "ArrowLeft", { shiftKey: true })).toBe("Shift+ArrowLeft");
  });

  it("lead to what the table says, and to nothing with another key held", () => {
    expect(keyFor(pressed("b", "KeyB"))?.id).toBe("brush");
    expect(keyFor(pressed("z", "KeyZ", { ctrlKey: true }))?.id).toBe("undo");
    expect(keyFor(pressed("b", "KeyB", { altKey: true }))).toBeUndefined();
  });

  it("stand in tooltips as a person says them", () => {
    expect([chordFor("pick"), chordFor("forward"), chordFor("redo"), chordFor("nothing")])
      .toEqual(["1–9", "Shift+→", "Ctrl+Shift+Z or Ctrl+Y", ""]);
  });
});

describe("words", () => {
  it("say how far a job is", () => {
    const job = { id: "1", state: "running", done: 34, total: 112, slices_per_second: 28.4 };
    expect(progress(job, "Propagating liver")).toBe("Propagating liver: slice 34 of 112, 28 a second.");
    expect(progress({ ...job, state: "paused", slices_per_second: null }, "Finding organs")).toBe("Finding organs: slice 34 of 112. Paused.");
  });

  it("give sizes in units that can be read", () => {
    expect([bytes(0), bytes(999), bytes(4_200_000), bytes(12_000_000_000)]).toEqual(["0 B", "999 B", "4.2 MB", "12 GB"]);
    expect([millilitres(0), millilitres(0.24), millilitres(1511.4)]).toEqual(["–", "0.2 mL", "1,511 mL"]);
  });

  it("name structures, few or many", () => {
    const scan = { structures: ["liver", "left_kidney", "spleen", "aorta"].map((name, n) => ({ id: n + 1, name })) } as unknown as Scan;
    expect(names(scan, null)).toBe("all structures");
    expect(names(scan, [2])).toBe("left kidney");
    expect(names(scan, [1, 2, 3, 4])).toBe("liver, left kidney and 2 more");
  });
});
