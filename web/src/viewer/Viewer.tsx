import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { begin, keepFresh } from "../session";
import * as state from "../state";
import { Corner } from "./Corner";
import { Overlay } from "./overlay";
import { pictures } from "./pictures";
import { Pointer } from "./pointer";
import { RenderView } from "./render";
import { SliceViewer } from "./slices";

export function Viewer() {
  const grey = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  useEffect(() => start(grey.current!, above.current!), []);
  const layout = state.layout.value;
  return (
    <div class={`viewer layout-${layout}`}>
      <canvas ref={grey} class="grey" aria-hidden="true" />
      <canvas ref={above} class="above" role="img" aria-label={described()} />
      {(layout === "render" || layout === "four") && <Space />}
      <Corner />
      {state.loading.value && <p class="loading" role="status">{state.loading.value}…</p>}
    </div>
  );
}

function start(grey: HTMLCanvasElement, above: HTMLCanvasElement): void {
  const viewer = new SliceViewer(grey);
  const overlay = new Overlay(above);
  const redraw = once(() => overlay.draw(viewer.placements, grey));
  viewer.onDrawn = () => overlay.draw(viewer.placements, grey);
  pictures.slices = viewer;
  new Pointer(above, viewer, redraw);
  effect(() => viewer.setWindow(state.intensityWindow.value));
  effect(() => viewer.setLayout(state.layout.value));
  effect(() => viewer.setIndices(state.indices.value));
  effect(() => {
    for (const part of ON_TOP) void part.value;
    redraw();
  });
  keepFresh();
  void begin(viewer).catch(state.complain);
}

const ON_TOP = [
  state.scan, state.labels, state.labelsPainted, state.uncertainty, state.uncertaintyShown, state.traces, state.structureId,
  state.hidden, state.labelsShown, state.opacity, state.maskStyle, state.previewShown, state.axis, state.tool, state.radius,
  state.takingAway, state.keysPressed,
];

function once(draw: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}

/** The structures in space, made when they are first looked at. */
function Space() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let end = (): void => undefined;
    let gone = false;
    void RenderView.on(canvas.current!).then((view) => {
      if (!gone) end = keepShown(view);
    }).catch(state.complain);
    return () => {
      gone = true;
      end();
    };
  }, []);
  return <canvas ref={canvas} class="space" role="img" aria-label="The structures in 3-D: drag to turn, wheel to zoom" />;
}

function keepShown(view: RenderView): () => void {
  let timer = 0;
  return effect(() => {
    const [volume, scan, hidden] = [state.labels.value, state.scan.value, state.hidden.value];
    void state.labelsPainted.value;
    window.clearTimeout(timer);
    if (volume && scan) timer = window.setTimeout(() => void view.show(volume, scan, hidden).catch(state.complain), 300);
  });
}

function described(): string {
  const scan = state.scan.value;
  return scan ? `${state.layout.value} view of ${scan.name}, slice ${state.index.value}` : "No scan is open";
}
