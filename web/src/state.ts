import { batch, computed, signal } from "@preact/signals";
import { clamp, sliceCount } from "./geometry";
import type { VoxelVolume } from "./voxels";
import type { Placement } from "./geometry";
import type { Axis, Direction, IntensityWindow, Scan, ScanSummary, Structure, Suggestion } from "./types";

/** The one store of the page. What the server knows is only mirrored here; what a person looks at is kept here alone. */

export type Layout = Axis | "render" | "four";
export type ToolName = "look" | "brush" | "eraser" | "polygon" | "scribble" | "click" | "box";
export type MaskStyle = "both" | "fill" | "outline";
export type Dialog = "help" | "scans" | "import" | "export";
export type Connection = { state: "on" } | { state: "off"; retryInS: number };

/** Something drawn that the server has not answered yet: it stays on the screen until the labels are there. */
export interface Trace {
  axis: Axis;
  index: number;
  paint(context: CanvasRenderingContext2D, placement: Placement): void;
}

// mirrored from the server
export const scans = signal<ScanSummary[]>([]);
export const scan = signal<Scan | null>(null);
export const labels = signal<VoxelVolume | null>(null);
export const labelsPainted = signal(0); // raised whenever voxels of `labels` change in place
export const uncertainty = signal<VoxelVolume | null>(null);
export const suggestions = signal<Suggestion[]>([]);
export const connection = signal<Connection>({ state: "on" });

// what is going on
export const loading = signal<string | null>(null);
export const message = signal<{ text: string; error: boolean }>({ text: "", error: false });
export const jobIsAbout = signal("Propagating");
export const traces = signal<Trace[]>([]);
export const unsent = signal(0);
export const keysPressed = signal(0); // what a tool has begun may be another thing after a key

// what a person looks at
export const layout = signal<Layout>("axial");
export const axis = signal<Axis>("axial");
export const indices = signal<Record<Axis, number>>({ axial: 0, coronal: 0, sagittal: 0 });
export const intensityWindow = signal<IntensityWindow>({ name: "", level: 0, width: 1 });
export const structureId = signal<number | null>(null);
export const hidden = signal<ReadonlySet<number>>(new Set());
export const labelsShown = signal(true);
export const opacity = signal(0.4);
export const maskStyle = signal<MaskStyle>("both");
export const uncertaintyShown = signal(false);
export const previewShown = signal(true);
export const suggestionShown = signal(-1);
export const dialog = signal<Dialog | null>(null);

// the tool in hand
export const tool = signal<ToolName>("brush");
export const radius = signal(8); // pixels
export const takingAway = signal(false);
export const direction = signal<Direction>("both");
export const chosen = signal<ReadonlySet<number> | null>(null); // what is propagated; null is all

export const index = computed(() => indices.value[axis.value]);
export const structure = computed<Structure | null>(
  () => scan.value?.structures.find((s) => s.id === structureId.value) ?? null,
);
/** Along the axis and for the structure that a person works on. */
export const drawnSlices = computed(() => {
  const id = structureId.value;
  return id === null ? [] : (scan.value?.drawn[axis.value]?.[String(id)] ?? []);
});

export function say(text: string): void {
  message.value = { text, error: false };
}

export function complain(error: unknown): void {
  message.value = { text: error instanceof Error ? error.message : String(error), error: true };
}

export function goTo(slice: number, along: Axis = axis.value): void {
  const shape = scan.value?.shape;
  if (!shape) return;
  const found = clamp(Math.round(slice), 0, sliceCount(shape, along) - 1);
  if (found !== indices.value[along]) indices.value = { ...indices.value, [along]: found };
}

export function show(next: Layout): void {
  batch(() => {
    layout.value = next;
    if (next !== "render" && next !== "four") axis.value = next;
  });
}

/** A mirror of the server's state, unless a newer one is here already. */
export function adopt(next: Scan): void {
  const now = scan.value;
  if (now && (now.id !== next.id || next.version < now.version)) return;
  batch(() => {
    scan.value = next;
    if (!next.structures.some((s) => s.id === structureId.value)) structureId.value = next.structures[0]?.id ?? null;
  });
}
