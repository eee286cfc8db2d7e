import * as commands from "./commands";
import { sliceCount } from "./geometry";
import * as state from "./state";
import { hand, take } from "./tools/hand";

/** Every key of the page. The help on `?` and the tooltips are made of this table. */
export interface Key {
  id: string;
  chords: string[];
  what: string;
  group: "Tools" | "Slices" | "Structures" | "Propagation" | "Picture" | "Page";
  run(chord: string): void;
}

const key = (id: string, group: Key["group"], chords: string, what: string, run: Key["run"]): Key => ({
  id, group, chords: chords.split(" "), what, run,
});

const toggle = (signal: { value: boolean }) => (): void => void (signal.value = !signal.value);

export const KEYS: Key[] = [
  key("brush", "Tools", "B", "Brush", () => take("brush")),
  key("eraser", "Tools", "E", "Eraser", () => take("eraser")),
  key("polygon", "Tools", "L", "Lasso by dragging, polygon by clicks", () => take("polygon")),
  key("scribble", "Tools", "S", "Scribble", () => take("scribble")),
  key("click", "Tools", "C", "Click", () => take("click")),
  key("box", "Tools", "R", "Box", () => take("box")),
  key("look", "Tools", "M", "Move the picture, no tool", () => take("look")),
  key("takeAway", "Tools", "X", "Add, or take away (Shift held: the opposite)", toggle(state.takingAway)),
  key("smaller", "Tools", "[", "Smaller brush", () => commands.growBrush(1 / 1.25)),
  key("larger", "Tools", "]", "Larger brush", () => commands.growBrush(1.25)),
  key("finish", "Tools", "Enter", "Close the polygon, or confirm the slice: it counts as drawn", () => void (hand().finish() || commands.confirmSlice())),
  key("cancel", "Tools", "Escape", "Give up what is begun; close a window", () => void (hand().cancel() || (state.dialog.value = null))),
  key("undo", "Tools", "Ctrl+Z", "Undo; while a polygon is begun: its last corner", () => void (hand().back?.() || commands.undo())),
  key("redo", "Tools", "Ctrl+Shift+Z Ctrl+Y", "Redo", commands.redo),
  key("up", "Slices", "ArrowUp .", "Next slice", () => state.goTo(state.index.value + 1)),
  key("down", "Slices", "ArrowDown ,", "Slice before", () => state.goTo(state.index.value - 1)),
  key("up10", "Slices", "PageUp", "Ten slices on", () => state.goTo(state.index.value + 10)),
  key("down10", "Slices", "PageDown", "Ten slices back", () => state.goTo(state.index.value - 10)),
  key("first", "Slices", "Home", "First slice", () => state.goTo(0)),
  key("last", "Slices", "End", "Last slice", () => state.goTo(sliceCount(state.scan.value?.shape ?? [1, 1, 1], state.axis.value) - 1)),
  key("suggested", "Slices", "N", "Next suggested slice", commands.goToSuggestion),
  key("drawnAfter", "Slices", "K", "Next drawn slice", () => commands.goToDrawn(1)),
  key("drawnBefore", "Slices", "J", "Drawn slice before", () => commands.goToDrawn(-1)),
  key("pick", "Structures", "1 2 3 4 5 6 7 8 9", "Choose the structure", (chord) => commands.pick(Number(chord))),
  key("lock", "Structures", "G", "Lock, or unlock, the structure", () => commands.toggleLock()),
  key("hide", "Structures", "V", "Hide, or show, the structure", () => commands.toggleHidden()),
  key("absent", "Structures", "0", "The structure is not on this slice", commands.absentHere),
  key("clear", "Structures", "Delete", "Take back what is drawn on this slice", commands.clearSlice),
  key("propagate", "Propagation", "P", "Propagate as chosen on the right", () => void commands.propagate()),
  key("forward", "Propagation", "Shift+ArrowRight", "Propagate forward", () => void commands.propagate("forward")),
  key("backward", "Propagation", "Shift+ArrowLeft", "Propagate backward", () => void commands.propagate("backward")),
  key("pause", "Propagation", "Shift+P", "Pause, or resume", commands.pauseOrResume),
  key("fill", "Propagation", "F", "Fill between the drawn slices around this one", commands.fillBetween),
  key("preview", "Propagation", "I", "Show what filling between would give", toggle(state.previewShown)),
  key("uncertainty", "Picture", "U", "Show where the result is uncertain", toggle(state.uncertaintyShown)),
  key("labels", "Picture", "H", "Hide, or show, all labels", toggle(state.labelsShown)),
  key("outline", "Picture", "O", "Fill and outline, outline alone, fill alone", () => nextStyle()),
  key("window", "Picture", "W", "Next window", commands.nextWindow),
  key("axial", "Picture", "Shift+1", "Axial view", () => state.show("axial")),
  key("coronal", "Picture", "Shift+2", "Coronal view", () => state.show("coronal")),
  key("sagittal", "Picture", "Shift+3", "Sagittal view", () => state.show("sagittal")),
  key("render", "Picture", "Shift+4", "3-D view", () => state.show("render")),
  key("four", "Picture", "Shift+5", "All four views", () => state.show("four")),
  key("reset", "Picture", "Z", "Whole picture again", commands.resetView),
  key("help", "Page", "?", "This help", () => void (state.dialog.value = state.dialog.value === "help" ? null : "help")),
];

/** What is done with the mouse, for the help. */
export const MOUSE: [string, string][] = [
  ["Left button", "the tool; Shift held: the opposite"],
  ["Right button, dragged", "window: right for wider, up for a higher level"],
  ["Middle button, or Space and left", "move the picture"],
  ["Wheel", "slices"],
  ["Ctrl and wheel", "zoom"],
];

function nextStyle(): void {
  const styles = ["both", "outline", "fill"] as const;
  state.maskStyle.value = styles[(styles.indexOf(state.maskStyle.value) + 1) % styles.length]!;
}

type Pressed = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey"> &
  Partial<Pick<KeyboardEvent, "getModifierState">>;

/** What keys that bear neither a letter nor a digit give on an American keyboard, alone and with Shift, as far as the table has it. */
const PLACES: Record<string, readonly [string, string?]> = {
  BracketLeft: ["["], BracketRight: ["]"], Comma: [","], Period: ["."], Slash: ["", "?"],
};

/**
 * A key event as it stands in the table: "Ctrl+Shift+Z", "Shift+1", "?".
 *
 * Latin letters count by what they are, wherever they lie. Other scripts have none of ours: there a key counts by its
 * place on an American keyboard. So do digits, which some layouts have only with Shift.
 */
export function chordOf(event: Pressed): string {
  const key = event.key.normalize("NFKC"); // full-width letters are letters
  const sign = [...key].length === 1 && !/[\p{L}\p{N}]/u.test(key);
  if (sign && isInTable(key)) return `${onlyControl(event) ? "Ctrl+" : ""}${key}`; // however it is reached: Shift, AltGr, Option
  const held = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey || altGraph(event) ? "Alt+" : "");
  const [name, shift] = placed(event, key);
  return `${held}${shift ? "Shift+" : ""}${name}`;
}

/** What a key stands for beside Ctrl and Alt, and whether Shift counts. */
function placed({ code, shiftKey }: Pressed, key: string): [string, boolean] {
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  if (digit) return [digit, shiftKey]; // Shift and 1 is "!" or something else, by layout, and 1 alone may be "&"
  const number = key.length === 1 && /^Numpad(\d)$/.exec(code)?.[1];
  if (number) return [number, false];
  if (isOfAnotherScript(key)) {
    const letter = /^Key([A-Z])$/.exec(code)?.[1];
    if (letter) return [letter, shiftKey];
    const [alone, shifted] = PLACES[code] ?? [];
    if (shiftKey && shifted) return [shifted, false];
    if (alone) return [alone, shiftKey];
  }
  if (key.length !== 1) return [key, shiftKey];
  return [key.toUpperCase(), shiftKey && key.toUpperCase() !== key.toLowerCase()]; // "?" needs its Shift
}

/** Neither Latin nor one of the signs that all keyboards share; or what an input method keeps to itself. */
const isOfAnotherScript = (key: string): boolean =>
  key === "Process" || key === "Unidentified" || !/^[\p{ASCII}\p{Script=Latin}]*$/u.test(key);

const isInTable = (sign: string): boolean => KEYS.some((k) => k.chords.includes(sign));

/** AltGr comes as Ctrl and Alt together on Windows. */
const onlyControl = (event: Pressed): boolean =>
  (event.ctrlKey || event.metaKey) && !event.altKey && !altGraph(event);

const altGraph = (event: Pressed): boolean => event.getModifierState?.("AltGraph") ?? false;

export function keyFor(chord: string): Key | undefined {
  return KEYS.find((k) => k.chords.includes(chord));
}

/** The chord that a button's tooltip names. */
export function chordFor(id: string): string {
  const chords = KEYS.find((k) => k.id === id)?.chords ?? [];
  return chords.length > 2 ? `${chords[0]}–${chords.at(-1)}` : chords.map(spoken).join(" or ");
}

export const spoken = (chord: string): string =>
  chord.replace("ArrowUp", "↑").replace("ArrowDown", "↓").replace("ArrowLeft", "←").replace("ArrowRight", "→");

/** Keys work everywhere but where a person types, and but for dialogs, which have keys of their own. */
export function listenToKeys(): void {
  window.addEventListener("keydown", (event) => {
    const chord = chordOf(event);
    const found = keyFor(chord);
    if (chord === "Escape" && event.target instanceof HTMLInputElement) event.target.blur();
    if (!found || isTyping(event.target, chord)) return;
    if (state.dialog.value && found.id !== "cancel" && found.id !== "help") return;
    event.preventDefault();
    found.run(chord);
    state.keysPressed.value++;
  });
}

function isTyping(target: EventTarget | null, chord: string): boolean {
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement) {
    if (target.type === "range") return chord.startsWith("Arrow") || chord === "Home" || chord === "End";
    return target.type !== "checkbox" && target.type !== "radio" && target.type !== "color";
  }
  if (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement) return chord === "Enter";
  return target instanceof HTMLElement && target.getAttribute("role") === "slider" && chord.startsWith("Arrow");
}
