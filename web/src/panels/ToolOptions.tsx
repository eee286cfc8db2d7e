import { absentHere, clearSlice, confirmSlice, fillBetween } from "../commands";
import { readable } from "../format";
import { drawnSlices, index, previewShown, radius, scan, structure, takingAway, tool, type ToolName } from "../state";
import { neighbours } from "../timeline";
import { Button } from "./Button";

const HINTS: Record<ToolName, string> = {
  brush: "Paint the structure. Shift rubs out.",
  eraser: "Rub out. Shift paints.",
  polygon: "Drag around it, or click corners; Enter closes.",
  scribble: "A line through it; Shift: through what is not.",
  click: "Click on it; Shift: on what is not.",
  box: "Drag a box around it.",
  look: "Drag to move, Ctrl and wheel to zoom.",
};

/** What belongs to the tool in hand, and what can be said of the slice as a whole. */
export function ToolOptions() {
  const name = tool.value;
  const sized = name === "brush" || name === "eraser";
  const signed = name === "polygon" || name === "scribble" || name === "click";
  return (
    <div class="options" role="group" aria-label="Tool options">
      {sized && (
        <label class="slider">
          Size
          <input type="range" min="1" max="60" value={radius.value} aria-label="Brush size"
            title="Brush size ([ and ])" onInput={(event) => (radius.value = Number(event.currentTarget.value))} />
          <output>{radius.value}</output>
        </label>
      )}
      {signed && <Sign />}
      <span class="hint" title={HINTS[name]}>{HINTS[name]}</span>
      <SliceButtons />
    </div>
  );
}

function Sign() {
  return (
    <span class="segments" role="group" aria-label="Add or take away">
      <Button name="Add" keyId="takeAway" icon="plus" pressed={!takingAway.value} onClick={() => (takingAway.value = false)}>Add</Button>
      <Button name="Take away" keyId="takeAway" icon="minus" pressed={takingAway.value} onClick={() => (takingAway.value = true)}>Take away</Button>
    </span>
  );
}

function SliceButtons() {
  const now = structure.value;
  const off = !now || now.frozen || !scan.value;
  const of = now ? readable(now.name) : "structure";
  const drawn = drawnSlices.value;
  return (
    <span class="slice-buttons" role="group" aria-label={`This slice, ${of}`}>
      <Button name="Confirm this slice" keyId="finish" icon="check" disabled={off} onClick={confirmSlice}>Confirm</Button>
      <Button name="Not on this slice" keyId="absent" icon="absent" disabled={off} onClick={absentHere}>Absent</Button>
      <Button name="Take back this slice" keyId="clear" icon="clear" disabled={off || !drawn.includes(index.value)} onClick={clearSlice} />
      <Button name="Fill between" keyId="fill" icon="fill" disabled={off || !neighbours(drawn, index.value)} onClick={fillBetween}>Fill between</Button>
      <Button name="Preview of fill between" keyId="preview" icon={previewShown.value ? "shown" : "hidden"} pressed={previewShown.value}
        onClick={() => (previewShown.value = !previewShown.value)} />
    </span>
  );
}
