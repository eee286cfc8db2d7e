import { describe, expect, it } from "vitest";
import { bytes, millilitres, names, progress } from "../src/format";
import { chordFor, chordOf, keyFor, KEYS } from "../src/keys";
import type { Scan } from "../src/types";

const pressed = (key: string, code = "", held: Partial<Record<"ctrlKey" | "metaKey" | "shiftKey" | "altKey", boolean>> = {}) =>
  chordOf({ key, code, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });

const meant = (...given: Parameters<typeof pressed>) => keyFor(pressed(...given))?.id;

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

  it("lie where they lie on an American keyboard where letters are not Latin", () => {
    const layouts: [string, string, string, string][] = [ // KeyP, KeyZ, KeyB, KeyU
      ["з", "я", "и", "г"], // Russian
      ["π", "ζ", "β", "θ"], // Greek
      ["פ", "ז", "נ", "ו"], // Hebrew
      ["ح", "ئ", "لا", "ع"], // Arabic; one key gives two letters
      ["ย", "ผ", "ิ", "ี"], // Thai; some are marks
      ["ㅔ", "ㅋ", "ㅠ", "ㅕ"], // Korean
      ["Process", "Process", "Process", "Process"], // an input method that is composing
    ];
    for (const [p, z, b, u] of layouts) {
      expect([meant(p, "KeyP"), meant(u, "KeyU"), meant(z, "KeyZ")], p).toEqual(["propagate", "uncertainty", "reset"]);
      expect([meant(z, "KeyZ", { ctrlKey: true }), meant(z, "KeyZ", { metaKey: true })], z).toEqual(["undo", "undo"]);
      expect(meant(z, "KeyZ", { ctrlKey: true, shiftKey: true }), z).toBe("redo");
      expect(meant(p, "KeyP", { shiftKey: true }), p).toBe("pause");
      expect(meant(b, "KeyB"), b).toBe("brush");
    }
    expect([meant("х", "BracketLeft"), meant("ъ", "BracketRight"), meant("б", "Comma"), meant("ю", "Period")])
      .toEqual(["smaller", "larger", "down", "up"]);
    expect([meant(".", "Slash"), meant(",", "Slash", { shiftKey: true }), meant("؟", "Slash", { shiftKey: true })])
      .toEqual(["up", "down", "help"]);
    expect([meant("?", "Digit7", { shiftKey: true }), meant("ｐ", "KeyP")]).toEqual(["help", "propagate"]);
  });

  it("are what their letter is where that is Latin, wherever it lies", () => {
    expect(meant("z", "KeyY", { ctrlKey: true })).toBe("undo"); // German
    expect(meant("y", "KeyZ", { ctrlKey: true })).toBe("redo");
    expect(meant("z", "KeyW", { ctrlKey: true })).toBe("undo"); // French
    expect(meant("p", "KeyR")).toBe("propagate"); // Dvorak
    expect([meant("ü", "BracketLeft"), meant("ğ", "KeyE"), meant("ö", "Semicolon")]).toEqual([undefined, undefined, undefined]);
  });

  it("give digits by their place, which some layouts have with Shift alone", () => {
    const pick = (key: string, code: string, shiftKey = false) => [pressed(key, code, { shiftKey }), meant(key, code, { shiftKey })];
    expect(pick("&", "Digit1")).toEqual(["1", "pick"]); // French
    expect(pick("1", "Digit1", true)).toEqual(["Shift+1", "axial"]);
    expect(pick("ě", "Digit2")).toEqual(["2", "pick"]); // Czech
    expect(pick("۳", "Digit3")).toEqual(["3", "pick"]); // Persian
    expect(pick("à", "Digit0")).toEqual(["0", "absent"]);
    expect(pick("4", "Numpad4")).toEqual(["4", "pick"]);
    expect(pick("ArrowLeft", "Numpad4")[1]).toBeUndefined();
    expect(pick("(", "Digit5")).toEqual(["5", "pick"]);
  });

  it("have brackets however a layout gives them", () => {
    const altGr = { getModifierState: (key: string) => key === "AltGraph" };
    const from = (key: string, code: string, held: object) =>
      keyFor(chordOf({ key, code, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held } as Parameters<typeof chordOf>[0]))?.id;
    expect(from("[", "Digit8", { ctrlKey: true, altKey: true, ...altGr })).toBe("smaller"); // German, Windows
    expect(from("]", "Digit9", { ctrlKey: true, altKey: true })).toBe("larger"); // and where AltGraph is not told
    expect(from("[", "Digit8", altGr)).toBe("smaller"); // Linux
    expect(from("]", "Digit6", { altKey: true })).toBe("larger"); // German, Mac: Option
    expect(from("[", "Digit5", { altKey: true, shiftKey: true })).toBe("smaller"); // French, Mac
    expect(from("[", "BracketLeft", { ctrlKey: true })).toBeUndefined(); // the browser's own
    expect(from("[", "BracketLeft", { metaKey: true })).toBeUndefined();
    expect(from("π", "KeyP", { altKey: true })).toBeUndefined(); // Option and P on a Mac
    expect(from("µ", "KeyM", altGr)).toBeUndefined();
    expect(from("€", "KeyE", altGr)).toBeUndefined();
    expect(from("ź", "KeyX", altGr)).toBeUndefined(); // Polish
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
