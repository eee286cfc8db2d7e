import { pixelSpacing, sliceShape } from "../geometry";
import { between } from "../interpolate";
import { Mask } from "../mask";
import { axis, drawnSlices, index, labels, labelsPainted, previewShown, scan, structureId } from "../state";
import { neighbours } from "../timeline";
import { outlines, pathOf } from "./outline";

let known: { key: string; path: Path2D | null } = { key: "", path: null };

/** The shape that "fill between" would give the structure on the slice that is shown, where it has none there yet. */
export function previewPath(): Path2D | null {
  const [volume, id, now] = [labels.value, structureId.value, scan.value];
  if (!previewShown.value || !volume || !now || id === null) return null;
  const around = neighbours(drawnSlices.value, index.value);
  if (!around) return null;
  const key = [now.id, axis.value, index.value, id, labelsPainted.value, ...around].join();
  if (known.key !== key) known = { key, path: interpolated(around, id) };
  return known.path;
}

function interpolated([first, last]: [number, number], id: number): Path2D | null {
  const [volume, now] = [labels.value!, scan.value!];
  const [height, width] = sliceShape(volume.shape, axis.value);
  const drawn = (at: number): Mask => Mask.where(height, width, volume.slice(axis.value, at), id);
  const fraction = (index.value - first) / (last - first);
  if (!drawn(index.value).empty) return null;
  const mask = between(drawn(first), drawn(last), fraction, pixelSpacing(now, axis.value));
  const edges = mask.empty ? undefined : outlines(mask.pixels, height, width).get(1);
  return edges ? pathOf(edges) : null;
}
