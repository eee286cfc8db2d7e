import * as api from "../api";
import { attempt } from "../commands";
import { bytes } from "../format";
import { say, scan } from "../state";

const MEGABYTE = 1e6;

/** What the server's process holds in memory, and from when on it closes scans. */
export function Memory() {
  const now = scan.value;
  if (!now) return null;
  const { used_bytes, budget_bytes } = now.memory;
  return (
    <section class="memory" aria-label="Memory">
      <h2>Memory <small>{bytes(used_bytes)} of {bytes(budget_bytes)}</small></h2>
      <div class="row">
        <meter aria-label="Memory in use" min={0} max={Math.max(budget_bytes, 1)} value={used_bytes} high={budget_bytes * 0.9} />
        <button type="button" title="Close the other scans and free what can be had again; your work stays" onClick={() => void clear(now.id)}>Clear</button>
        <label class="keep" title="When the server holds more than this, in MB, it closes those not looked at for longest">
          Keep
          <input type="number" aria-label="Memory to keep in MB" min="16" step="64" value={Math.round(budget_bytes / MEGABYTE)}
            onChange={(event) => void keep(now.id, event.currentTarget.valueAsNumber)} />
          MB
        </label>
      </div>
    </section>
  );
}

async function clear(id: string): Promise<void> {
  await attempt(async () => {
    const before = scan.value?.memory.used_bytes ?? 0;
    await api.clearMemory(id);
    await again(id);
    const freed = Math.max(0, before - (scan.value?.memory.used_bytes ?? 0));
    say(`Memory cleared: ${bytes(freed)} freed. Your work is untouched.`);
  });
}

async function keep(id: string, megabytes: number): Promise<void> {
  if (!(megabytes > 0)) return;
  await attempt(async () => {
    await api.setBudget(id, Math.round(megabytes * MEGABYTE));
    await again(id);
  });
}

async function again(id: string): Promise<void> {
  const next = await api.getScan(id);
  if (scan.value?.id === id) scan.value = next;
}
