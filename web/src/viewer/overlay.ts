import { sliceCount, sliceShape, type Placement } from "../geometry";
import * as state from "../state";
import { hand } from "../tools/hand";
import { drawEdges } from "./edges";
import { heatTable, LabelledSlice, labelTable, lay, picture, placed } from "./paint";
import { previewPath } from "./preview";

/** All that lies on the scan: labels, doubt, what would be filled, strokes, and the tool in hand. */
export class Overlay {
  private readonly context: CanvasRenderingContext2D;
  private readonly heat = heatTable();
  private slices = new Map<string, LabelledSlice>();
  private doubt = { of: null as unknown, slices: new Map<string, HTMLCanvasElement>() };
  private of: unknown = null;
  private painted = -1;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d")!;
  }

  draw(placements: readonly Placement[], like: HTMLCanvasElement): void {
    if (this.canvas.width !== like.width) this.canvas.width = like.width;
    if (this.canvas.height !== like.height) this.canvas.height = like.height;
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.forgetOld();
    for (const placement of placements) this.within(placement, () => this.drawSlice(placement));
    for (const placement of placements) drawEdges(this.context, placement, placements.length > 1);
    if (placements.length > 1) this.drawFrames(placements);
  }

  private within(placement: Placement, draw: () => void): void {
    this.context.save();
    this.context.beginPath();
    this.context.rect(...placement.frame);
    this.context.clip();
    draw();
    this.context.restore();
  }

  private drawSlice(at: Placement): void {
    const volume = state.labels.value;
    const index = state.indices.value[at.axis];
    if (!volume) return;
    if (state.labelsShown.value) this.drawLabels(this.labelled(at, index), at);
    this.drawUncertainty(at, index);
    if (at.axis === state.axis.value) this.drawPreview(at);
    for (const trace of state.traces.value) if (trace.axis === at.axis && trace.index === index) trace.paint(this.context, at);
    hand().paint(this.context, at);
  }

  private drawLabels(slice: LabelledSlice, at: Placement): void {
    const [structures, hidden, style] = [state.scan.value?.structures ?? [], state.hidden.value, state.maskStyle.value];
    if (style !== "outline") lay(this.context, slice.filled(labelTable(structures, hidden)), at, state.opacity.value);
    if (style === "fill") return;
    for (const { id, colour } of structures) {
      const path = hidden.has(id) ? undefined : slice.outlined().get(id);
      if (!path) continue;
      this.context.strokeStyle = colour;
      this.context.lineWidth = (id === state.structureId.value ? 2 : 1) * window.devicePixelRatio;
      this.context.stroke(placed(path, at));
    }
  }

  private drawUncertainty(at: Placement, index: number): void {
    const doubt = state.uncertaintyShown.value ? state.uncertainty.value : null;
    if (!doubt) return;
    const key = `${at.axis} ${index}`;
    if (this.doubt.of !== doubt || this.doubt.slices.size > 24) this.doubt = { of: doubt, slices: new Map() };
    let image = this.doubt.slices.get(key);
    if (!image) this.doubt.slices.set(key, (image = picture(doubt.slice(at.axis, index), ...sliceShape(doubt.shape, at.axis), this.heat)));
    lay(this.context, image, at);
  }

  private drawPreview(at: Placement): void {
    const path = previewPath();
    if (!path) return;
    this.context.save();
    this.context.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    this.context.lineWidth = 1.5 * devicePixelRatio;
    this.context.strokeStyle = "#ffffff";
    this.context.stroke(placed(path, at));
    this.context.restore();
  }

  /** Where the other planes cut, and which plane is worked on. */
  private drawFrames(placements: readonly Placement[]): void {
    const shape = state.scan.value?.shape;
    if (!shape) return;
    for (const at of placements) {
      const [rows, columns] = at.axis === "axial" ? (["coronal", "sagittal"] as const)
        : at.axis === "coronal" ? (["axial", "sagittal"] as const) : (["axial", "coronal"] as const);
      this.within(at, () => {
        this.context.strokeStyle = "rgba(120, 190, 255, 0.45)";
        this.context.lineWidth = devicePixelRatio;
        const [x, y] = [at.x(state.indices.value[columns] + 0.5), at.y(state.indices.value[rows] + 0.5)];
        this.context.beginPath();
        this.context.moveTo(x, at.y(0));
        this.context.lineTo(x, at.y(sliceCount(shape, rows)));
        this.context.moveTo(at.x(0), y);
        this.context.lineTo(at.x(sliceCount(shape, columns)), y);
        this.context.stroke();
        this.context.strokeStyle = at.axis === state.axis.value ? "#5aa9ff" : "#2a3340";
        this.context.lineWidth = 2 * devicePixelRatio;
        const [left, top, width, height] = at.frame;
        this.context.strokeRect(left + 1, top + 1, width - 2, height - 2);
      });
    }
  }

  private labelled(at: Placement, index: number): LabelledSlice {
    const key = `${at.axis} ${index}`;
    let slice = this.slices.get(key);
    if (!slice) this.slices.set(key, (slice = new LabelledSlice(state.labels.value!, at, index)));
    return slice;
  }

  private forgetOld(): void {
    const same = this.of === state.labels.value && this.painted === state.labelsPainted.value;
    if (same && this.slices.size < 24) return;
    this.slices.clear();
    [this.of, this.painted] = [state.labels.value, state.labelsPainted.value];
  }
}
