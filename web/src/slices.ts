import * as api from "./api";
import { labels, labelsPainted, scan } from "./state";
import type { SliceRange } from "./types";

/** Fetches slices that changed, one request at a time; what comes in meanwhile is asked for together. */
class SliceFetcher {
  private waiting: SliceRange[] = [];
  private running: Promise<void> | null = null;
  private readonly seen = new Map<string, Promise<void>>();

  /** Resolves when the slices of that version are on the screen. */
  refresh(range: SliceRange, version: number): Promise<void> {
    const key = [version, range.axis, range.first, range.last].join(" ");
    const known = this.seen.get(key); // an action's own answer and the event about it name the same change
    if (known) return known;
    this.waiting.push(range);
    const done = (this.running ?? Promise.resolve()).then(() => this.start());
    this.seen.set(key, done);
    if (this.seen.size > 64) this.seen.delete(this.seen.keys().next().value!);
    return done;
  }

  forget(): void {
    this.waiting = [];
    this.seen.clear();
  }

  private start(): Promise<void> {
    this.running ??= this.drain().finally(() => (this.running = null));
    return this.running;
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const ranges = joined(this.waiting);
      this.waiting = [];
      for (const range of ranges) await fetchInto(range);
    }
  }
}

export const slices = new SliceFetcher();

async function fetchInto(range: SliceRange): Promise<void> {
  const [id, volume] = [scan.value?.id, labels.value];
  if (!id || !volume) return;
  const block = await api.labels(id, range);
  if (labels.value !== volume) return; // another scan was opened meanwhile
  volume.put(range, block.data);
  labelsPainted.value++;
}

const SMALL_GAP = 4; // slices that are cheaper to fetch along than to ask for apart

/** Overlapping and neighbouring ranges made one. */
export function joined(ranges: readonly SliceRange[]): SliceRange[] {
  const found: SliceRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.axis.localeCompare(b.axis) || a.first - b.first)) {
    const last = found.at(-1);
    if (last && last.axis === range.axis && range.first <= last.last + SMALL_GAP) last.last = Math.max(last.last, range.last);
    else found.push({ axis: range.axis, first: range.first, last: range.last });
  }
  return found;
}
