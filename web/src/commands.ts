import * as api from "./api";
import { isRunning, names } from "./format";
import { sliceShape } from "./geometry";
import { Mask } from "./mask";
import { send } from "./queue";
import * as state from "./state";
import { neighbours, nextDrawn, nextSuggestion } from "./timeline";
import { target, type Target } from "./tools/target";
import type { Direction } from "./types";
import { pictures } from "./viewer/pictures";

/** What both a button and a key can do. */

export const undo = (): void => void send({ do: "undo" });
export const redo = (): void => void send({ do: "redo" });

export function resetView(): void {
  pictures.slices?.resetView();
}

export function pick(position: number): void {
  const found = state.scan.value?.structures[position - 1];
  if (found) state.structureId.value = found.id;
  else state.say(`There is no structure number ${position} yet.`);
}

export function toggleLock(id = state.structureId.value): void {
  const found = state.scan.value?.structures.find((s) => s.id === id);
  if (!found) return;
  void send({ do: found.frozen ? "unlock" : "lock", structure: found.id });
}

export function toggleHidden(id = state.structureId.value): void {
  if (id === null) return;
  const next = new Set(state.hidden.value);
  if (!next.delete(id)) next.add(id);
  state.hidden.value = next;
}

/** To the slice where a look pays most; again for the one after it. */
export function goToSuggestion(): void {
  const list = state.suggestions.value;
  const next = nextSuggestion(list, state.suggestionShown.value, state.index.value);
  if (next === null) {
    state.say("No slice is suggested now: draw one and propagate first.");
    return;
  }
  goToSuggested(next);
}

export function goToSuggested(position: number): void {
  const suggestion = state.suggestions.value[position];
  if (!suggestion) return;
  state.suggestionShown.value = position;
  state.goTo(suggestion.index);
  if (suggestion.structure !== null) state.structureId.value = suggestion.structure;
}

export function goToDrawn(step: 1 | -1): void {
  const next = nextDrawn(state.drawnSlices.value, state.index.value, step);
  if (next === null) state.say("No drawn slice of this structure in that direction.");
  else state.goTo(next);
}

/** Shapes between the drawn slices on both sides of the one that is shown. */
export function fillBetween(): void {
  const around = neighbours(state.drawnSlices.value, state.index.value);
  const at = target({ axis: state.axis.value, index: state.index.value });
  if (!at) return;
  if (!around) {
    state.complain("Fill between: stand between two slices on which this structure is drawn.");
    return;
  }
  void send({ do: "fill_between", structure: at.structure, axis: at.axis, first: around[0], last: around[1] });
}

/** What is on the slice is right: it counts as drawn from now on. */
export function confirmSlice(): void {
  const volume = state.labels.value;
  const at = target({ axis: state.axis.value, index: state.index.value });
  if (!at || !volume) return;
  const [height, width] = sliceShape(volume.shape, at.axis);
  const mask = Mask.where(height, width, volume.slice(at.axis, at.index), at.structure);
  draw(at, mask);
}

export function absentHere(): void {
  const at = target({ axis: state.axis.value, index: state.index.value });
  if (at && state.scan.value) draw(at, new Mask(...sliceShape(state.scan.value.shape, at.axis)));
}

function draw({ structure, axis, index }: Target, mask: Mask): void {
  void send({ do: "draw", structure, axis, index, mask: mask.pack() });
}

export function clearSlice(): void {
  const at = target({ axis: state.axis.value, index: state.index.value });
  if (at) void send({ do: "clear", structure: at.structure, axis: at.axis, index: at.index });
}

export async function propagate(direction: Direction = state.direction.value): Promise<void> {
  const scan = state.scan.value;
  if (!scan) return;
  if (isRunning(scan.job)) {
    state.say("It is running already: pause or stop it first.");
    return;
  }
  const structures = state.chosen.value && [...state.chosen.value];
  await begin(`Propagating ${names(scan, structures)}`, () =>
    api.propagate(scan.id, { first: null, last: null, structures, axis: state.axis.value, direction, index: state.index.value }));
}

export async function findOrgans(): Promise<void> {
  const scan = state.scan.value;
  if (scan) await begin("Finding organs", () => api.find(scan.id));
}

async function begin(about: string, start: () => ReturnType<typeof api.find>): Promise<void> {
  state.jobIsAbout.value = about;
  await attempt(async () => {
    const job = await start();
    const now = state.scan.value;
    if (now && now.job?.id !== job.id) state.scan.value = { ...now, job };
  });
}

export function pauseOrResume(): void {
  const scan = state.scan.value;
  if (scan && isRunning(scan.job)) void attempt(() => api.pause(scan.id, scan.job?.state === "running"));
}

export function stop(): void {
  const scan = state.scan.value;
  if (scan && isRunning(scan.job)) void attempt(() => api.stop(scan.id));
}

/** Does it; what goes wrong is said in the status line. */
export async function attempt<T>(what: () => Promise<T>): Promise<T | null> {
  try {
    return await what();
  } catch (error) {
    state.complain(error);
    return null;
  }
}

export function nextWindow(): void {
  const all = state.scan.value?.windows ?? [];
  const now = all.findIndex((w) => w.name === state.intensityWindow.value.name);
  const next = all[(now + 1) % all.length];
  if (next) state.intensityWindow.value = next;
}

export function growBrush(factor: number): void {
  const now = state.radius.value;
  const next = factor > 1 ? Math.max(now + 1, now * factor) : Math.min(now - 1, now * factor);
  state.radius.value = Math.min(Math.max(Math.round(next), 1), 60);
}
