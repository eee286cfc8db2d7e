import { pauseOrResume, propagate, stop } from "../commands";
import { isRunning } from "../format";
import * as state from "../state";
import type { Direction, Job } from "../types";
import { Button } from "./Button";
import type { IconName } from "./Icon";

const DIRECTIONS: [Direction, IconName, string][] = [
  ["backward", "backward", "Backward from this slice"],
  ["both", "both", "Both ways, the whole scan"],
  ["forward", "forward", "Forward from this slice"],
  ["next", "next", "To the next drawn slice"],
];

export function Propagation() {
  const scan = state.scan.value;
  const job = scan?.job ?? null;
  return (
    <section class="propagation" aria-label="Propagation">
      <h2>Propagation</h2>
      <div class="row">
        <span class="segments" role="group" aria-label="Direction">
          {DIRECTIONS.map(([way, icon, name]) => (
            <Button key={way} name={name} icon={icon} pressed={state.direction.value === way} onClick={() => (state.direction.value = way)} />
          ))}
        </span>
        <Which />
      </div>
      {isRunning(job) ? <Running job={job} /> : (
        <Button name="Propagate" keyId="propagate" class="strong wide" disabled={!scan || scan.structures.length === 0}
          onClick={() => void propagate()}>Propagate <kbd>P</kbd></Button>
      )}
    </section>
  );
}

function Which() {
  const scan = state.scan.value;
  const value = state.chosen.value === null ? "all" : "chosen";
  return (
    <select aria-label="Structures to propagate" title="Structures to propagate" value={value} disabled={!scan}
      onChange={(event) => {
        const active = state.structureId.value;
        state.chosen.value = event.currentTarget.value === "all" ? null : new Set(active === null ? [] : [active]);
      }}>
      <option value="all">all structures</option>
      <option value="chosen">ticked above</option>
    </select>
  );
}

function Running({ job }: { job: Job }) {
  const paused = job.state === "paused";
  return (
    <div class="row running">
      <progress aria-label="Progress" max={Math.max(job.total, 1)} value={job.done} />
      <Button name={paused ? "Resume" : "Pause"} keyId="pause" icon={paused ? "play" : "pause"} onClick={pauseOrResume} />
      <Button name="Stop" icon="stop" onClick={stop} />
    </div>
  );
}
