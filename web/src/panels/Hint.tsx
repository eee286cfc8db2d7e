import { signal } from "@preact/signals";
import { dialog, scan } from "../state";

const STEPS: [string, string][] = [
  ["Name a structure", "On the right: type its name, press Add."],
  ["Draw it on one slice", "Brush (B) or lasso (L). Scribble, click and box find the edge for you."],
  ["Propagate", "Press P: the other slices follow. You can go on drawing on what is finished."],
  ["Correct where it matters", "N takes you to the slice where a look pays most. Draw there, press P again."],
];
const SEEN = "ivos first steps seen";

const step = signal(0);
const shown = signal(!seen());

/** The four steps of the work, once; half a minute to read. */
export function Hint() {
  if (!shown.value || !scan.value || dialog.value) return null;
  const [title, text] = STEPS[step.value]!;
  const last = step.value === STEPS.length - 1;
  return (
    <aside class="first-steps" aria-label="First steps">
      <small>{step.value + 1} of {STEPS.length}</small>
      <h2>{title}</h2>
      <p>{text}</p>
      <div class="row">
        <button type="button" class="quiet" onClick={close}>Skip</button>
        <button type="button" class="strong" onClick={() => (last ? close() : step.value++)}>{last ? "Begin" : "Next"}</button>
      </div>
    </aside>
  );
}

export function restartHint(): void {
  step.value = 0;
  shown.value = true;
  dialog.value = null;
}

function close(): void {
  shown.value = false;
  try {
    localStorage.setItem(SEEN, "yes");
  } catch {
    // a browser that keeps nothing shows it again next time
  }
}

function seen(): boolean {
  try {
    return localStorage.getItem(SEEN) !== null;
  } catch {
    return false;
  }
}
