import type { Axis, Job, Scan } from "./types";

export function millilitres(ml: number): string {
  if (ml === 0) return "–";
  return ml < 10 ? `${ml.toFixed(1)} mL` : `${Math.round(ml).toLocaleString("en-GB")} mL`;
}

export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit++;
  }
  return `${count < 10 && unit ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `inferior_vena_cava` as a person reads it. */
export const readable = (name: string): string => name.replaceAll("_", " ");

export const plane = (axis: Axis): string => capital(axis);

export const isRunning = (job: Job | null): job is Job => job?.state === "running" || job?.state === "paused";

/** "Propagating liver: slice 34 of 112, 28 a second". */
export function progress(job: Job, what: string): string {
  const speed = job.slices_per_second ? `, ${Math.round(job.slices_per_second)} a second` : "";
  const paused = job.state === "paused" ? " Paused." : "";
  return `${what}: slice ${job.done} of ${job.total}${speed}.${paused}`;
}

/** Names of some structures, short enough for a line. */
export function names(scan: Scan, ids: readonly number[] | null): string {
  if (ids === null) return "all structures";
  const known = scan.structures.filter((s) => ids.includes(s.id)).map((s) => readable(s.name));
  return known.length > 3 ? `${known.slice(0, 2).join(", ")} and ${known.length - 2} more` : known.join(", ");
}

const REASONS: Record<string, string> = {
  uncertain: "the result is uncertain here",
  "passes disagree": "the two directions disagree here",
  far: "far from every drawn slice",
  end: "it may end here",
  "not drawn yet": "not drawn yet",
};

/** Why a slice is worth a look, in words; a reason that we do not know is shown as it came. */
export const why = (reason: string): string => REASONS[reason] ?? reason;
