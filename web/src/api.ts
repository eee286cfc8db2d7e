import type {
  Action, ActionAnswer, Axis, ExportFormat, Job, PropagationRequest, Scan, ScanState, ScanSummary, SliceRange, Suggestion,
} from "./types";

/** The server refused, and said why in one line. */
export class Refused extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
}

/** The server could not be reached at all. */
export class Unreachable extends Error {}

export interface Voxels {
  data: Uint8Array;
  shape: [number, number, number];
  version: number;
}

const at = (path: string): string => `api/scans${path}`;
const of = (id: string, rest: string): string => at(`/${encodeURIComponent(id)}${rest}`);

export const listScans = (): Promise<ScanSummary[]> => json("GET", at(""));
export const getScan = (id: string): Promise<Scan> => json("GET", of(id, ""));
export const setState = (id: string, state: ScanState): Promise<ScanSummary> => json("PUT", of(id, "/state"), { state });
export const act = (id: string, action: Action): Promise<ActionAnswer> => json("POST", of(id, "/actions"), action);
export const propagate = (id: string, request: PropagationRequest): Promise<Job> =>
  json("POST", of(id, "/propagation"), request);
export const pause = (id: string, paused: boolean): Promise<unknown> => json("PUT", of(id, "/propagation"), { paused });
export const stop = (id: string): Promise<unknown> => json("DELETE", of(id, "/propagation"));
export const find = (id: string): Promise<Job> => json("POST", of(id, "/find"));
export const suggestions = (id: string, axis: Axis): Promise<Suggestion[]> =>
  json("GET", of(id, `/suggestions?axis=${axis}`));
export const clearMemory = (id: string): Promise<unknown> => json("DELETE", of(id, "/memory"));
export const setBudget = (id: string, budget_bytes: number): Promise<unknown> =>
  json("PUT", of(id, "/memory"), { budget_bytes });
export const eventsAddress = (id: string): string => of(id, "/events");
export const exportAddress = (id: string, format: ExportFormat): string => of(id, `/export?format=${format}`);

export const uploadScan = (file: File): Promise<ScanSummary> => upload(at(""), file);
export const importMasks = (id: string, file: File, drawn: boolean): Promise<ActionAnswer> =>
  upload(of(id, `/labels?drawn=${drawn}`), file);

/** Labels or the journal as a file, and its name. */
export async function download(id: string, format: ExportFormat): Promise<{ file: Blob; called: string }> {
  const answer = await request("GET", exportAddress(id, format));
  return { file: await answer.blob(), called: calledIn(answer.headers.get("Content-Disposition") ?? "") };
}

/** The file's name in a Content-Disposition header, which writes it in one of two ways (RFC 6266). */
export function calledIn(disposition: string): string {
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition)?.[1];
  return encoded ? decodeURIComponent(encoded) : (/filename="([^"]+)"/.exec(disposition)?.[1] ?? "labels");
}

/** The scan as NIfTI, unpacked on the way; `progress` hears the bytes so far. */
export async function image(id: string, progress: (bytes: number) => void): Promise<ArrayBuffer> {
  const answer = await request("GET", of(id, "/image.nii.gz"));
  let bytes = 0;
  const counted = new TransformStream<BufferSource, BufferSource>({
    transform(part, out) {
      progress((bytes += part.byteLength));
      out.enqueue(part);
    },
  });
  return new Response(answer.body!.pipeThrough(counted).pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

export async function labels(id: string, range?: SliceRange): Promise<Voxels> {
  const query = range ? `?axis=${range.axis}&first=${range.first}&last=${range.last}` : "";
  return voxels(await request("GET", of(id, `/labels${query}`)));
}

/** 255 - confidence, or null before anything was propagated. */
export async function uncertainty(id: string): Promise<Voxels | null> {
  try {
    return await voxels(await request("GET", of(id, "/uncertainty")));
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

async function voxels(answer: Response): Promise<Voxels> {
  const shape = (answer.headers.get("X-Ivos-Shape") ?? "").split(",").map(Number) as [number, number, number];
  const data = new Uint8Array(await answer.arrayBuffer());
  if (shape.length !== 3 || data.length !== shape[0] * shape[1] * shape[2]) {
    throw new Refused(answer.status, `labels of shape ${shape} came with ${data.length} bytes: reload the page`);
  }
  return { data, shape, version: Number(answer.headers.get("X-Ivos-Version")) };
}

async function json<T>(method: string, address: string, body?: unknown): Promise<T> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return read<T>(await request(method, address, sent));
}

async function upload<T>(address: string, file: File): Promise<T> {
  const body = new FormData();
  body.append("file", file);
  return read<T>(await request("POST", address, { body }));
}

async function read<T>(answer: Response): Promise<T> {
  const text = await answer.text();
  return (text ? JSON.parse(text) : null) as T;
}

async function request(method: string, address: string, rest: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address, { method, ...rest });
  } catch {
    throw new Unreachable("The server does not answer.");
  }
  if (!answer.ok) throw new Refused(answer.status, await reason(answer));
  return answer;
}

async function reason(answer: Response): Promise<string> {
  const text = await answer.text();
  try {
    const detail: unknown = JSON.parse(text).detail;
    if (typeof detail === "string") return detail;
  } catch {
    // not JSON: a proxy's own page, say
  }
  return `The server answered ${answer.status} ${answer.statusText}.`.trim();
}
