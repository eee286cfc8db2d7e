import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { isRunning, progress } from "../format";
import * as state from "../state";

/** One line that says in plain words what happens. */
export function Status() {
  const job = state.scan.value?.job ?? null;
  const lost = state.connection.value;
  const { text, error } = state.message.value;
  const running = isRunning(job) ? progress(job, state.jobIsAbout.value) : "";
  return (
    <footer class={`status${lost.state === "off" || error ? " alarm" : ""}`}>
      <p role={error ? "alert" : "status"} aria-live="polite">{lost.state === "off" ? <Lost retryInS={lost.retryInS} /> : error ? text : running || text}</p>
      {error && running && <p>{running}</p>}
      {error && <button type="button" class="quiet" aria-label="Dismiss" title="Dismiss" onClick={() => state.say("")}>×</button>}
      <span class="saved">{state.unsent.value > 0 ? "Saving…" : state.scan.value ? "Saved" : ""}</span>
    </footer>
  );
}

function Lost({ retryInS }: { retryInS: number }) {
  const left = useSignal(retryInS);
  useEffect(() => {
    left.value = retryInS;
    const timer = window.setInterval(() => (left.value = Math.max(0, left.value - 1)), 1000);
    return () => window.clearInterval(timer);
  }, [state.connection.value]);
  return <>Connection lost. Your work is saved; trying again{left.value > 0 ? ` in ${left.value} s` : ""}.</>;
}
