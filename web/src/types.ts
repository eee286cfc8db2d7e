/** What goes over the wire between the page and the server. Slices are numbered in canonical order. */

export type Axis = "axial" | "coronal" | "sagittal";
export const AXES: readonly Axis[] = ["axial", "coronal", "sagittal"];

export type ScanState = "new" | "in work" | "done";

export interface ScanSummary {
  id: string;
  name: string;
  state: ScanState;
  changed: string | null;
}

export interface IntensityWindow {
  name: string;
  level: number;
  width: number;
}

export interface Structure {
  id: number;
  name: string;
  colour: string;
  frozen: boolean;
  volume_ml: number;
}

/** Structure id to slice numbers, or to first and last slice of runs. */
export type SlicesOf = Record<string, number[]>;
export type RunsOf = Record<string, [number, number][]>;
export type PerAxis<T> = Partial<Record<Axis, T>>;

export interface Job {
  id: string;
  state: string;
  done: number;
  total: number;
  slices_per_second?: number | null;
  /** Once it is over by something else: what that was. */
  ended?: string | null;
}

export interface Scan {
  id: string;
  name: string;
  state: ScanState;
  version: number;
  shape: [number, number, number];
  spacing_mm: [number, number, number];
  modality: "ct" | "mr";
  windows: IntensityWindow[];
  structures: Structure[];
  drawn: PerAxis<SlicesOf>;
  propagated: PerAxis<RunsOf>;
  doubtful: PerAxis<SlicesOf>;
  corrected: PerAxis<SlicesOf>;
  undo: boolean;
  redo: boolean;
  job: Job | null;
  memory: { used_bytes: number; budget_bytes: number };
  reference: boolean;
}

export interface SliceRange {
  axis: Axis;
  first: number;
  last: number;
}

export interface Suggestion {
  index: number;
  structure: number | null;
  why: string;
  gain: number;
}

/** A box of a slice: bits row by row, high bit first, in base64. */
export interface PackedMask {
  top: number;
  left: number;
  shape: [number, number];
  bits: string;
}

/** [row, column] of a pixel. */
export type Pixel = [number, number];

interface OnSlice {
  structure: number;
  axis: Axis;
  index: number;
}

export type Action =
  | ({ do: "draw"; mask: PackedMask } & OnSlice)
  | ({ do: "brush"; mask: PackedMask; erase: boolean } & OnSlice)
  | ({ do: "scribble"; positive: Pixel[][]; negative: Pixel[][]; radius: number } & OnSlice)
  | ({ do: "click"; positive: Pixel[]; negative: Pixel[] } & OnSlice)
  | ({ do: "box"; box: [number, number, number, number] } & OnSlice)
  | ({ do: "polygon"; points: Pixel[]; erase: boolean } & OnSlice)
  | ({ do: "clear" } & OnSlice)
  | { do: "fill_between"; structure: number; axis: Axis; first: number; last: number }
  | { do: "add"; id: number | null; name: string; colour: string | null }
  | { do: "rename"; structure: number; name: string; colour: string | null }
  | { do: "remove" | "lock" | "unlock"; structure: number }
  | { do: "undo" | "redo" };

export interface ActionAnswer {
  version: number;
  changed: SliceRange | null;
  scan: Scan;
  /** What ran and has ended by this, in a line. */
  ended?: string | null;
}

export type Direction = "both" | "forward" | "backward" | "next";

export interface PropagationRequest {
  first: number | null;
  last: number | null;
  structures: number[] | null;
  axis: Axis;
  direction: Direction;
  index: number;
}

export type ExportFormat = "nifti" | "nrrd" | "dicom-seg" | "png" | "journal";
