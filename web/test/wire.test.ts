import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as api from "../src/api";
import { send } from "../src/queue";
import { labels, message, scan, traces, unsent } from "../src/state";
import type { Action, Scan } from "../src/types";
import { readIntensities } from "../src/viewer/intensities";
import { labelsAsNifti } from "../src/viewer/nifti";
import { VoxelVolume } from "../src/voxels";

type Answer = Response | Error;
let asked: string[] = [];
let answers: (body: unknown) => Answer | Promise<Answer>;

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", async (address: string, { method, body }: { method: string; body?: string }) => {
    const said: unknown = body ? JSON.parse(body) : null;
    asked.push(`${method} ${address}${said ? ` ${(said as { do?: string }).do}` : ""}`);
    const answer = await answers(said);
    if (answer instanceof Error) throw answer;
    return answer;
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });
const voxels = (bytes: number[], shape: string): Response => new Response(Uint8Array.from(bytes), { headers: { "X-Ivos-Shape": shape } });

describe("the server's word", () => {
  it("is shown as it says it", async () => {
    answers = () => json({ detail: "structure 9: not in this scan; add it first" }, 404);
    await expect(api.getScan("ab")).rejects.toThrow("structure 9: not in this scan; add it first");
    answers = () => new Response("<html>", { status: 502, statusText: "Bad Gateway" });
    await expect(api.getScan("ab")).rejects.toThrow("The server answered 502 Bad Gateway.");
    answers = () => new TypeError("network");
    await expect(api.getScan("ab")).rejects.toBeInstanceOf(api.Unreachable);
  });

  it("gives voxels whose number fits their shape, or an error", async () => {
    answers = () => voxels([1, 2, 3, 4], "1,2,2");
    expect((await api.labels("ab", { axis: "axial", first: 3, last: 3 })).shape).toEqual([1, 2, 2]);
    expect(asked).toEqual(["GET api/scans/ab/labels?axis=axial&first=3&last=3"]);
    answers = () => voxels([1, 2, 3], "1,2,2");
    await expect(api.labels("ab")).rejects.toThrow("reload the page");
  });

  it("may be that nothing was propagated yet", async () => {
    answers = () => json({ detail: "nothing was propagated yet" }, 404);
    expect(await api.uncertainty("ab")).toBeNull();
  });
});

describe("an export", () => {
  it("is called as the server calls it", () => {
    expect(api.calledIn('attachment; filename="abdomen_labels.nii.gz"')).toBe("abdomen_labels.nii.gz");
    expect(api.calledIn("attachment; filename*=utf-8''b%C3%A4r%20labels.nrrd")).toBe("bär labels.nrrd");
  });
});

describe("actions", () => {
  const now = (version: number): Scan => ({ id: "ab", version, structures: [{ id: 1, name: "liver" }] }) as unknown as Scan;
  const brush = { do: "brush", structure: 1, axis: "axial", index: 0, erase: false, mask: { top: 0, left: 0, shape: [1, 1], bits: "gA==" } } as Action;

  beforeEach(() => {
    scan.value = now(1);
    labels.value = new VoxelVolume(new Uint8Array(4), [2, 1, 2]);
    message.value = { text: "", error: false };
  });

  it("are sent one after the other, and the slices they changed come back", async () => {
    let version = 1;
    answers = (said) => said
      ? json({ version: ++version, changed: version === 2 ? { axis: "axial", first: 1, last: 1 } : null, scan: now(version) })
      : voxels([7, 8], "1,1,2");
    const trace = { axis: "axial" as const, index: 1, paint: () => undefined };
    const done = [send(brush, trace), send({ do: "undo" })];
    expect([traces.value.length, unsent.value]).toEqual([1, 2]);
    expect(await Promise.all(done)).toEqual([true, true]);
    expect(asked).toEqual(["POST api/scans/ab/actions brush", "GET api/scans/ab/labels?axis=axial&first=1&last=1", "POST api/scans/ab/actions undo"]);
    expect([...labels.value!.data]).toEqual([0, 0, 7, 8]);
    expect([traces.value.length, unsent.value, scan.value?.version, message.value.text]).toEqual([0, 0, 3, "Undone."]);
  });

  it("that may be done twice wait for the connection; an undo does not", async () => {
    vi.useFakeTimers();
    let down = 2;
    answers = () => (down-- > 0 ? new TypeError("network") : json({ version: 2, changed: null, scan: now(2) }));
    const stroke = send(brush);
    await vi.advanceTimersByTimeAsync(4000);
    expect(await stroke).toBe(true);
    down = 1;
    expect(await send({ do: "undo" })).toBe(false);
    expect(message.value.error).toBe(true);
  });

  it("that are refused take their trace with them", async () => {
    answers = () => json({ detail: "liver is locked: unlock it first" }, 409);
    expect(await send(brush, { axis: "axial", index: 0, paint: () => undefined })).toBe(false);
    expect([message.value, traces.value]).toEqual([{ text: "liver is locked: unlock it first", error: true }, []]);
  });
});

describe("a NIfTI file", () => {
  const file = (): ArrayBuffer => labelsAsNifti(Uint8Array.of(1, 2, 3, 4, 5, 6), [1, 2, 3], [5, 1, 1]);

  it("is read as the server's shape says", () => {
    const { volume, ...rest } = readIntensities(file(), [1, 2, 3]);
    expect([...volume.slice("axial", 0)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rest).toMatchObject({ slope: 1, intercept: 0 });
  });

  it("has its window in stored values", () => {
    const scaled = file();
    new DataView(scaled).setFloat32(112, 2, true); // slope
    new DataView(scaled).setFloat32(116, -10, true); // intercept
    expect(readIntensities(scaled, [1, 2, 3]).range({ name: "", level: 0, width: 40 })).toEqual([-5, 15]);
  });

  it("of another shape is refused", () => {
    expect(() => readIntensities(file(), [2, 1, 3])).toThrow("not 3,1,2");
  });
});
