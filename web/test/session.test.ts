import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { open } from "../src/session";
import { labels, message, scan } from "../src/state";
import type { Job, Scan } from "../src/types";
import { labelsAsNifti } from "../src/viewer/nifti";
import type { SliceViewer } from "../src/viewer/slices";

const VIEWER = { load: () => undefined } as unknown as SliceViewer;
let now: Scan; // at the server
let voxels: () => Promise<number[]>;
let source: EventTarget & { onopen?: () => void; onerror?: (event: Event) => void };

const job = (state: string): Job => ({ id: "j", state, done: 1, total: 2 });

beforeEach(async () => {
  now = {
    id: "ab", name: "a.nii", state: "new", version: 1, shape: [1, 1, 2], spacing_mm: [1, 1, 1], modality: "ct",
    windows: [], structures: [], drawn: {}, propagated: {}, doubtful: {}, corrected: {}, undo: false, redo: false,
    job: job("running"), memory: { used_bytes: 0, budget_bytes: 0 }, reference: false,
  };
  voxels = async () => [0, 0];
  vi.stubGlobal("window", { location: { hash: "" }, setTimeout: () => 0, clearTimeout: () => undefined });
  vi.stubGlobal("EventSource", class extends EventTarget {
    constructor() {
      super();
      source = this;
    }
    close(): void {}
  });
  vi.stubGlobal("fetch", async (address: string) => {
    if (address.includes("/labels")) {
      return new Response(Uint8Array.from(await voxels()), { headers: { "X-Ivos-Shape": "1,1,2" } });
    }
    if (!address.includes("/image")) return new Response(JSON.stringify(now));
    const file = new Response(labelsAsNifti(Uint8Array.of(0, 0), [1, 1, 2], [1, 1, 1]));
    return new Response(file.body!.pipeThrough(new CompressionStream("gzip")));
  });
  await open("ab", VIEWER);
});
afterEach(() => vi.unstubAllGlobals());

it("takes what comes while it catches up as newer", async () => {
  now = { ...now, version: 2 };
  let send: (bytes: number[]) => void = () => undefined;
  const asked = new Promise<void>((begun) => {
    voxels = () => {
      begun();
      return new Promise((resolve) => (send = resolve));
    };
  });
  source.onopen!();
  await asked;
  source.dispatchEvent(new MessageEvent("job", { data: JSON.stringify(job("paused")) }));
  send([3, 4]);
  await vi.waitFor(() => expect([...labels.value!.data]).toEqual([3, 4]));
  await new Promise((resolve) => setTimeout(resolve)); // all that is under way has ended
  expect([scan.value?.version, scan.value?.job?.state]).toEqual([2, "paused"]);
});

it("says what was broken off when the server is there again", async () => {
  source.onopen!();
  source.onerror!(new Event("error"));
  now = { ...now, version: 3, job: null };
  voxels = async () => [5, 0];
  vi.stubGlobal("window", { ...window, setTimeout: (connect: () => void) => connect() });
  source.onerror!(new Event("error"));
  source.onopen!();
  await vi.waitFor(() => expect(message.value.text).toContain("what was finished of the propagation is here"));
  expect([...labels.value!.data]).toEqual([5, 0]);
});
