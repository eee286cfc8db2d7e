import { batch, effect } from "@preact/signals";
import * as api from "./api";
import { listen } from "./events";
import { isRunning } from "./format";
import { acquiredAxis, sliceCount } from "./geometry";
import { VoxelVolume } from "./voxels";
import { readPlace, writePlace } from "./place";
import { slices } from "./slices";
import * as state from "./state";
import { AXES, type Axis, type Scan } from "./types";
import { readIntensities } from "./viewer/intensities";
import type { SliceViewer } from "./viewer/slices";

let endEvents: () => void = () => undefined;

/** The work list; opens the scan that the address names, or the only one. */
export async function begin(viewer: SliceViewer): Promise<void> {
  state.scans.value = await api.listScans();
  const place = readPlace();
  const named = state.scans.value.find((s) => s.id === place.scan);
  const first = named ?? (state.scans.value.length === 1 ? state.scans.value[0] : undefined);
  if (first) await open(first.id, viewer);
  else state.dialog.value = "scans";
}

/** Shows a scan as the server has it. */
export async function open(id: string, viewer: SliceViewer): Promise<void> {
  endEvents();
  slices.forget();
  batch(() => {
    state.scan.value = state.labels.value = state.uncertainty.value = null;
    state.suggestions.value = [];
    state.hidden.value = new Set();
    state.chosen.value = null;
    state.loading.value = "Opening the scan";
  });
  try {
    const scan = await api.getScan(id);
    const voxels = await api.labels(id);
    const image = await api.image(id, (bytes) => {
      state.loading.value = `Loading the scan: ${Math.round(bytes / 1e6)} MB`;
    });
    batch(() => begun(scan, new VoxelVolume(voxels.data, voxels.shape)));
    viewer.load(readIntensities(image, scan.shape), scan.spacing_mm);
    endEvents = follow(id);
  } catch (error) {
    state.complain(error);
  } finally {
    state.loading.value = null;
  }
}

function begun(scan: Scan, labels: VoxelVolume): void {
  const place = readPlace();
  const again = place.scan === scan.id;
  const axis = (again && place.axis) || acquiredAxis(scan.spacing_mm);
  const middle = Object.fromEntries(AXES.map((a) => [a, Math.floor(sliceCount(scan.shape, a) / 2)]));
  state.labels.value = labels;
  state.indices.value = middle as typeof state.indices.value;
  state.intensityWindow.value = scan.windows[0] ?? { name: "all", level: 0, width: 1000 };
  state.adopt(scan);
  state.show(axis);
  if (again && place.slice !== null) state.goTo(place.slice, axis);
  if (again && scan.structures.some((s) => s.id === place.structure)) state.structureId.value = place.structure;
  state.say(scan.structures.length ? `${scan.name} is open.` : `${scan.name} is open. Add a structure to begin.`);
}

/** Keeps the mirror true while others, or the server itself, change things. */
function follow(id: string): () => void {
  return listen(id, {
    changed: ({ version, ...range }) => void slices.refresh(range, version).catch(state.complain),
    job: (job) => {
      const now = state.scan.value;
      if (!now) return;
      state.scan.value = { ...now, job };
      if (job.state === "done") state.say("Finished. The amber marks on the timeline are where a look pays most.");
      if (job.state === "stopped") state.say(job.ended ? `${job.ended} What was finished stays.` : "Stopped. What was finished stays.");
    },
    scan: state.adopt,
    error: (line) => state.complain(line),
    connected: (again) => {
      state.connection.value = { state: "on" };
      void catchUp(id, again).catch(state.complain);
    },
    lost: (retryInS) => (state.connection.value = { state: "off", retryInS }),
  });
}

/** What happened while nobody listened: before the first event came through, or while the connection was lost. */
async function catchUp(id: string, again: boolean): Promise<void> {
  const scan = await api.getScan(id);
  const now = state.scan.value;
  if (now?.id !== id || (!again && scan.version <= now.version)) return;
  const brokenOff = isRunning(now.job) && !scan.job;
  state.scan.value = scan; // before the labels are fetched: events that come meanwhile are newer
  if (again) slices.forget(); // what was on its way when the connection was lost does not come any more
  if (now.version !== scan.version) {
    const all = { axis: "axial", first: 0, last: scan.shape[0] - 1 } as const;
    await slices.refresh(all, scan.version); // in turn with slices that change meanwhile
  }
  if (!again) return;
  state.say(brokenOff
    ? "Connected again. The server had ended: what was finished of the propagation is here."
    : "Connected again. Nothing is lost.");
}

/** What is asked for again after each change, once things are quiet: suggestions, and uncertainty where it is shown. */
export function keepFresh(): void {
  let timer = 0;
  effect(() => {
    void state.axis.value;
    state.suggestions.value = []; // those of another axis mean other slices
  });
  effect(() => {
    const now = state.scan.value;
    const axis = state.axis.value;
    const wantsUncertainty = state.uncertaintyShown.value;
    window.clearTimeout(timer);
    if (!now || isRunning(now.job)) return;
    timer = window.setTimeout(() => void fresh(now, axis, wantsUncertainty).catch(state.complain), 400);
  });
  effect(writePlace);
}

let uncertaintyOf = "";

async function fresh({ id, version, propagated }: Scan, axis: Axis, wantsUncertainty: boolean): Promise<void> {
  const some = Object.keys(propagated[axis] ?? {}).length > 0; // before that there is nothing to judge by
  const found = some ? await api.suggestions(id, axis) : [];
  if (state.scan.value?.id !== id || state.axis.value !== axis) return;
  state.suggestions.value = found;
  const wanted = `${id} ${version}`;
  if (!wantsUncertainty || (state.uncertainty.value && uncertaintyOf === wanted)) return;
  const voxels = await api.uncertainty(id);
  if (state.scan.value?.id !== id) return;
  uncertaintyOf = wanted;
  state.uncertainty.value = voxels && new VoxelVolume(voxels.data, voxels.shape);
  if (!voxels) state.say("There is no uncertainty before something was propagated.");
}
