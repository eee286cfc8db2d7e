import { useEffect } from "preact/hooks";
import * as api from "../api";
import { attempt } from "../commands";
import { open } from "../session";
import { dialog, say, scan, scans } from "../state";
import type { ScanState } from "../types";
import { pictures } from "../viewer/pictures";
import { Dialog } from "./Dialog";

/** The work list. */
export function Scans() {
  useEffect(() => void attempt(reload), []);
  return (
    <Dialog title="Scans">
      <ul class="scans">
        {scans.value.map(({ id, name, state, changed }) => (
          <li key={id}>
            <button type="button" aria-label={`Open ${name}`} aria-current={id === scan.value?.id ? "true" : undefined} onClick={() => choose(id)}>
              <span class="name">{name}</span>
              <span class={`badge ${state.replace(" ", "-")}`}>{state}</span>
              <time>{changed ? new Date(changed).toLocaleString() : ""}</time>
            </button>
          </li>
        ))}
      </ul>
      {scans.value.length === 0 && <p class="empty">No scans here yet.</p>}
      <label class="upload">
        Add a scan (NIfTI, NRRD, or a zip of DICOM)
        <input type="file" aria-label="Add a scan" accept=".nii,.gz,.nrrd,.zip" onChange={(event) => void upload(event.currentTarget)} />
      </label>
    </Dialog>
  );
}

async function reload(): Promise<void> {
  scans.value = await api.listScans();
}

function choose(id: string): void {
  dialog.value = null;
  if (id !== scan.value?.id && pictures.slices) void open(id, pictures.slices);
}

async function upload(input: HTMLInputElement): Promise<void> {
  const file = input.files?.[0];
  if (!file) return;
  say(`Adding ${file.name}…`);
  await attempt(async () => {
    const added = await api.uploadScan(file);
    await reload();
    say(`${added.name} is in the list.`);
  });
  input.value = "";
}

/** The work on this scan is done, or goes on after all. */
export function DoneButton() {
  const now = scan.value;
  const done = now?.state === "done";
  const next: ScanState = done ? "in work" : "done";
  const mark = (): void => {
    if (!now) return;
    void attempt(async () => {
      await api.setState(now.id, next);
      if (scan.value?.id === now.id) scan.value = { ...scan.value, state: next };
      await reload();
    });
  };
  return (
    <button type="button" aria-label="Done" aria-pressed={done} disabled={!now} title="The work on this scan is done" onClick={mark}>
      {done ? "✓ Done" : "Done"}
    </button>
  );
}
