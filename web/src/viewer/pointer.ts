import * as state from "../state";
import { hand } from "../tools/hand";
import type { Point } from "../tools/tool";
import { clamp, type Placement } from "../geometry";
import type { SliceViewer } from "./slices";

type Drag = { kind: "tool" | "pan" | "window" | "cross"; at: Placement; x: number; y: number; moved: number };

const WHEEL_STEP = 40; // of wheel movement a slice: one notch of a mouse, a short stroke on a touch pad

/** The pointer on the slices: left for the tool, right for the window, middle or space for moving, wheel for slices. */
export class Pointer {
  private drag: Drag | null = null;
  private wheel = 0;
  private space = false;

  constructor(
    private readonly surface: HTMLCanvasElement,
    private readonly viewer: SliceViewer,
    private readonly redraw: () => void,
  ) {
    surface.addEventListener("pointerdown", (event) => this.down(event));
    surface.addEventListener("pointermove", (event) => this.move(event));
    surface.addEventListener("pointerup", (event) => this.up(event));
    surface.addEventListener("pointercancel", () => this.cancel());
    surface.addEventListener("pointerleave", () => this.leave());
    surface.addEventListener("dblclick", () => this.done(hand().finish()));
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
    surface.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    window.addEventListener("keydown", (event) => this.hold(event, true));
    window.addEventListener("keyup", (event) => this.hold(event, false));
  }

  private down(event: PointerEvent): void {
    const [x, y] = this.at(event);
    const at = this.viewer.placements.find((placement) => placement.holds(x, y));
    if (!at || this.drag || !state.scan.value) return;
    this.surface.setPointerCapture(event.pointerId);
    (document.activeElement as HTMLElement | null)?.blur();
    state.axis.value = at.axis;
    this.drag = { kind: this.kind(event), at, x, y, moved: 0 };
    if (this.drag.kind === "tool") hand().down(this.point(event, at));
    if (this.drag.kind === "cross") this.cross(x, y, at);
    this.redraw();
  }

  private kind(event: PointerEvent): Drag["kind"] {
    if (event.button === 2) return "window";
    if (event.button === 1 || this.space) return "pan";
    if (state.tool.value !== "look") return "tool";
    return state.layout.value === "four" ? "cross" : "pan";
  }

  private move(event: PointerEvent): void {
    const [x, y] = this.at(event);
    const drag = this.drag;
    if (!drag) {
      const at = this.viewer.placements.find((placement) => placement.holds(x, y));
      hand().hover(at ? this.point(event, at) : null);
    } else if (drag.kind === "tool") {
      for (const part of event.getCoalescedEvents?.() ?? []) hand().move(this.point(part, drag.at));
      hand().move(this.point(event, drag.at));
    } else if (drag.kind === "pan") this.viewer.pan(drag.at, x - drag.x, y - drag.y);
    else if (drag.kind === "window") this.window(x - drag.x, y - drag.y);
    else this.cross(x, y, drag.at);
    if (drag) [drag.x, drag.y] = [x, y];
    this.redraw();
  }

  private up(event: PointerEvent): void {
    if (this.drag?.kind === "tool") hand().up(this.point(event, this.drag.at));
    this.drag = null;
    this.redraw();
  }

  private cancel(): void {
    hand().cancel();
    this.drag = null;
    this.redraw();
  }

  private leave(): void {
    if (this.drag) return;
    hand().hover(null);
    this.redraw();
  }

  private done(finished: boolean): void {
    if (finished) this.redraw();
  }

  private turn(event: WheelEvent): void {
    event.preventDefault();
    if (this.drag) return; // a stroke stays on its slice
    const [x, y] = this.at(event);
    const at = this.viewer.placements.find((placement) => placement.holds(x, y));
    if (!at) return;
    if (event.ctrlKey || event.metaKey) {
      this.viewer.zoom(at, Math.exp(-event.deltaY / 400), x, y);
      return;
    }
    this.wheel += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : Math.sign(event.deltaY) * WHEEL_STEP;
    const steps = Math.trunc(this.wheel / WHEEL_STEP);
    this.wheel -= steps * WHEEL_STEP;
    if (steps) state.goTo(state.indices.value[at.axis] - clamp(steps, -3, 3), at.axis);
  }

  private hold(event: KeyboardEvent, pressed: boolean): void {
    if (event.code !== "Space" || event.target instanceof HTMLInputElement || event.target instanceof HTMLButtonElement) return;
    this.space = pressed;
    event.preventDefault();
  }

  /** Level and width by dragging: right is wider, down is brighter, in steps that suit the window. */
  private window(dx: number, dy: number): void {
    const now = state.intensityWindow.value;
    const step = now.width / 300 / (window.devicePixelRatio || 1);
    const width = Math.max(now.width + dx * step, 1e-3);
    state.intensityWindow.value = { name: "own", level: now.level - dy * step, width };
  }

  /** The other two planes go to where the pointer is. */
  private cross(x: number, y: number, at: Placement): void {
    const [row, column] = [Math.floor(at.row(y)), Math.floor(at.column(x))];
    state.goTo(row, at.axis === "axial" ? "coronal" : "axial");
    state.goTo(column, at.axis === "sagittal" ? "coronal" : "sagittal");
  }

  private at(event: MouseEvent): [number, number] {
    const box = this.surface.getBoundingClientRect();
    const ratio = this.surface.width / box.width;
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }

  private point(event: MouseEvent, at: Placement): Point {
    const [x, y] = this.at(event);
    const index = state.indices.value[at.axis];
    return { axis: at.axis, index, y: at.row(y), x: at.column(x), opposite: event.shiftKey };
  }
}
