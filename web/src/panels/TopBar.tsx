import { findOrgans, redo, undo } from "../commands";
import { isRunning } from "../format";
import * as state from "../state";
import { Button } from "./Button";
import { DoneButton } from "./Scans";

const VIEWS: [state.Layout, string][] = [
  ["axial", "Axial"],
  ["coronal", "Coronal"],
  ["sagittal", "Sagittal"],
  ["render", "3-D"],
  ["four", "Four"],
];

export function TopBar() {
  const scan = state.scan.value;
  return (
    <header class="topbar">
      <strong class="brand">ivos</strong>
      <button type="button" class="scan-name" title="Scans: the work list" aria-label={`Scans: ${scan?.name ?? "none open"}`}
        onClick={() => (state.dialog.value = "scans")}>
        {scan?.name ?? "Choose a scan"}
      </button>
      <span class="segments" role="group" aria-label="View">
        {VIEWS.map(([view, name]) => (
          <Button key={view} name={`${name} view`} keyId={view} pressed={state.layout.value === view} onClick={() => state.show(view)}>{name}</Button>
        ))}
      </span>
      <Windows />
      <span class="gap" />
      <Button name="Undo" keyId="undo" icon="undo" class="quiet" disabled={!scan?.undo} onClick={undo} />
      <Button name="Redo" keyId="redo" icon="redo" class="quiet" disabled={!scan?.redo} onClick={redo} />
      {scan?.reference && (
        <Button name="Find organs" class="strong" disabled={isRunning(scan.job)} onClick={() => void findOrgans()}>Find organs</Button>
      )}
      <Button name="Import masks" disabled={!scan} onClick={() => (state.dialog.value = "import")}>Import</Button>
      <Button name="Export" disabled={!scan} onClick={() => (state.dialog.value = "export")}>Export</Button>
      <DoneButton />
      <Button name="Keyboard help" keyId="help" icon="help" class="quiet" onClick={() => (state.dialog.value = "help")} />
    </header>
  );
}

function Windows() {
  const windows = state.scan.value?.windows ?? [];
  const now = state.intensityWindow.value;
  const own = !windows.some((w) => w.name === now.name);
  return (
    <select aria-label="Window" title="Window (W; or drag with the right button)" value={now.name} disabled={windows.length === 0}
      onChange={(event) => {
        const found = windows.find((w) => w.name === event.currentTarget.value);
        if (found) state.intensityWindow.value = found;
      }}>
      {windows.map((w) => <option key={w.name} value={w.name}>{w.name}</option>)}
      {own && <option value={now.name}>own window</option>}
    </select>
  );
}
