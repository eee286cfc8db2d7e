import type { Niivue } from "@niivue/niivue";
import type { VoxelVolume } from "../voxels";
import type { Scan, Structure } from "../types";
import { labelsAsNifti } from "./nifti";
import { rgb } from "./paint";

const FINEST = 160; // voxels along a side: enough for the eye, and quick without a graphics card

/** The structures in space. A picture of its own: labels alone, thinned out, so that the slices stay quick. */
export class RenderView {
  private due = false;

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly library: typeof import("@niivue/niivue"),
    private readonly niivue: Niivue,
  ) {
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
    this.turnable();
  }

  /** NiiVue comes when it is first looked at: the page is there at once without it. */
  static async on(canvas: HTMLCanvasElement): Promise<RenderView> {
    const library = await import("@niivue/niivue");
    const niivue = new library.Niivue({
      interactive: false, // its keys C, P and V are the page's
      dragAndDropEnabled: false,
      isResizeCanvas: false,
      show3Dcrosshair: false,
      isOrientationTextVisible: false,
      loadingText: "",
      logLevel: "error",
      sliceType: library.SLICE_TYPE.RENDER,
      backColor: [0.043, 0.055, 0.071, 1],
    });
    await niivue.attachToCanvas(canvas, false);
    niivue.setRenderAzimuthElevation(160, 12);
    await niivue.setVolumeRenderIllumination(0.6);
    return new RenderView(canvas, library, niivue);
  }

  async show(volume: VoxelVolume, scan: Scan, hidden: ReadonlySet<number>): Promise<void> {
    const { data, shape, spacing } = thinned(volume, scan.spacing_mm, hidden);
    const file = new File([labelsAsNifti(data, shape, spacing)], "labels.nii");
    const image = await this.library.NVImage.loadFromFile({ file, name: file.name });
    image.setColormapLabel(colourMap(scan.structures));
    for (const old of [...this.niivue.volumes]) this.niivue.removeVolume(old);
    this.niivue.addVolume(image);
    this.draw();
  }

  /** Turned by dragging, nearer and farther by the wheel. */
  private turnable(): void {
    this.canvas.addEventListener("pointerdown", (event) => this.canvas.setPointerCapture(event.pointerId));
    this.canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      const scene = this.niivue.scene;
      scene.renderAzimuth = (scene.renderAzimuth + event.movementX * 0.6) % 360;
      scene.renderElevation = Math.min(Math.max(scene.renderElevation + event.movementY * 0.5, -90), 90);
      this.draw();
    });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const scale = this.niivue.scene.volScaleMultiplier * Math.exp(-event.deltaY / 600);
      this.niivue.scene.volScaleMultiplier = Math.min(Math.max(scale, 0.4), 4);
      this.draw();
    }, { passive: false });
  }

  private draw(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      if (this.canvas.width > 0) this.niivue.drawScene();
    });
  }

  private resize(): void {
    [this.canvas.width, this.canvas.height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.draw();
  }
}

/** Every n-th voxel along each axis; hidden structures left out. */
function thinned(volume: VoxelVolume, spacing_mm: readonly number[], hidden: ReadonlySet<number>): {
  data: Uint8Array; shape: [number, number, number]; spacing: [number, number, number];
} {
  const steps = volume.shape.map((size) => Math.ceil(size / FINEST)) as [number, number, number];
  const shape = volume.shape.map((size, a) => Math.ceil(size / steps[a]!)) as [number, number, number];
  const spacing = spacing_mm.map((mm, a) => mm * steps[a]!) as [number, number, number];
  const data = new Uint8Array(shape[0] * shape[1] * shape[2]);
  const [, height, width] = volume.shape;
  let at = 0;
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      let from = (z * steps[0] * height + y * steps[1]) * width;
      for (let x = 0; x < shape[2]; x++, from += steps[2]) data[at++] = volume.data[from]!;
    }
  }
  if (hidden.size) for (let n = 0; n < data.length; n++) if (hidden.has(data[n]!)) data[n] = 0;
  return { data, shape, spacing };
}

function colourMap(structures: readonly Structure[]): { R: number[]; G: number[]; B: number[]; A: number[]; I: number[] } {
  const map = { R: [0], G: [0], B: [0], A: [0], I: [0] };
  for (const { id, colour } of [...structures].sort((a, b) => a.id - b.id)) {
    const [r, g, b] = rgb(colour);
    map.R.push(r);
    map.G.push(g);
    map.B.push(b);
    map.A.push(255);
    map.I.push(id);
  }
  return map;
}
