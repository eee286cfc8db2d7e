import { useSignal } from "@preact/signals";
import * as api from "../api";
import { attempt } from "../commands";
import { dialog, say, scan } from "../state";
import type { ExportFormat } from "../types";
import { Dialog } from "./Dialog";

const FORMATS: [ExportFormat, string, string][] = [
  ["nifti", "NIfTI", "labels on the scan's own grid"],
  ["nrrd", "NRRD", "the same, for 3D Slicer"],
  ["dicom-seg", "DICOM SEG", "for a picture archive; of DICOM scans"],
  ["png", "PNG", "one picture a slice"],
  ["journal", "Journal", "everything that was done, in order"],
];

export function Export() {
  const now = scan.value;
  if (!now) return null;
  return (
    <Dialog title="Export">
      <ul class="exports">
        {FORMATS.map(([format, name, what]) => (
          <li key={format}>
            <a href={api.exportAddress(now.id, format)} download aria-label={`Export as ${name}`}
              onClick={(event) => void save(event, now.id, format, name)}><strong>{name}</strong> {what}</a>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

const KEPT_MS = 60_000; // until the browser has surely taken the file over

/** Fetched by the page and not by the browser, which would show a refusal as a download that failed and say no more. */
async function save(event: Event, id: string, format: ExportFormat, name: string): Promise<void> {
  event.preventDefault();
  dialog.value = null;
  say(`Exporting ${name}…`);
  await attempt(async () => {
    const { file, called } = await api.download(id, format);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = called;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
    say(`${called} is where your browser keeps downloads.`);
  });
}

/** Masks of a slice or of the whole volume, from a file on the scan's grid. */
export function Import() {
  const file = useSignal<File | null>(null);
  const drawn = useSignal(false);
  const bring = (event: Event): void => {
    event.preventDefault();
    const [now, chosen] = [scan.value, file.value];
    if (!now || !chosen) return;
    dialog.value = null;
    say(`Importing ${chosen.name}…`);
    void attempt(async () => {
      const { ended } = await api.importMasks(now.id, chosen, drawn.value);
      say([`${chosen.name} is imported. Undo takes it back.`, ended].filter(Boolean).join(" "));
    });
  };
  return (
    <Dialog title="Import masks">
      <form class="import" onSubmit={bring}>
        <p>Labels of one slice or of the whole volume, on the grid of this scan (NIfTI or NRRD; 0 is background).</p>
        <input type="file" aria-label="File with masks" accept=".nii,.gz,.nrrd" onChange={(event) => (file.value = event.currentTarget.files?.[0] ?? null)} />
        <label>
          <input type="checkbox" checked={drawn.value} onChange={(event) => (drawn.value = event.currentTarget.checked)} />
          They are a person's: count them as drawn, so that propagation keeps them
        </label>
        <button type="submit" class="strong" disabled={!file.value}>Import</button>
      </form>
    </Dialog>
  );
}
