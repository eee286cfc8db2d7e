import { plane } from "../format";
import { pixelSpacing, sliceCount } from "../geometry";
import * as state from "../state";

/** What a reader of scans looks for in the corner of a picture: plane, slice, window. */
export function Corner() {
  const scan = state.scan.value;
  if (!scan || state.layout.value === "render" || state.layout.value === "four") return null; // four tiles name themselves
  const axis = state.axis.value;
  const { level, width } = state.intensityWindow.value;
  const [row, column] = pixelSpacing(scan, axis);
  return (
    <div class="corner">
      <strong>{plane(axis)} {state.index.value}</strong>
      <span>of {sliceCount(scan.shape, axis) - 1}</span>
      <span>L {Math.round(level)} W {Math.round(width)}</span>
      <span>{row.toFixed(1)} × {column.toFixed(1)} mm</span>
    </div>
  );
}
