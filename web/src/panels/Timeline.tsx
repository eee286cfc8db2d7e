import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { goToSuggested, goToSuggestion } from "../commands";
import { plane, readable, why } from "../format";
import { sliceCount } from "../geometry";
import * as state from "../state";
import { rows, standing, type Row } from "../timeline";
import { Button } from "./Button";
import { drawRows, drawRuler, ROW, RULER, Scale } from "./timelinePicture";

export function Timeline() {
  const scan = state.scan.value;
  return (
    <section class="timeline" aria-label="Timeline">
      <header>
        <Suggestions />
        <Legend />
      </header>
      {scan && <Track rows={rows(scan, state.axis.value)} count={sliceCount(scan.shape, state.axis.value)} />}
    </section>
  );
}

function Track({ rows, count }: { rows: Row[]; count: number }) {
  const ruler = useRef<HTMLCanvasElement>(null);
  const body = useRef<HTMLCanvasElement>(null);
  const width = useSignal(0);
  const title = useSignal("");
  const index = state.index.value;
  const active = state.structureId.value;
  const suggested = state.suggestions.value.map((s) => s.index);
  useEffect(() => {
    const observer = new ResizeObserver(() => (width.value = body.current?.clientWidth ?? 0));
    observer.observe(body.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const moment = { rows, count, index, active, suggested };
    drawRuler(ruler.current!, width.value, moment);
    drawRows(body.current!, width.value, moment);
  });
  useEffect(() => reveal(body.current!, rows.findIndex((r) => r.structure.id === active)), [active, rows.length]);
  const place = (event: MouseEvent): { slice: number; row: Row | undefined } => {
    const box = body.current!.getBoundingClientRect();
    const slice = new Scale(box.width, count).index(event.clientX - box.left);
    const onRows = event.target === body.current;
    return { slice, row: onRows ? rows[Math.floor((event.clientY - box.top) / ROW)] : undefined };
  };
  const go = (event: PointerEvent): void => {
    const { slice, row } = place(event);
    state.goTo(slice);
    if (event.type !== "pointerdown") return;
    (event.target as HTMLCanvasElement).setPointerCapture(event.pointerId);
    if (row) state.structureId.value = row.structure.id;
  };
  const move = (event: PointerEvent): void => {
    if (event.buttons) return go(event);
    const { slice, row } = place(event);
    title.value = row ? `${readable(row.structure.name)}, slice ${slice}: ${standing(row, slice)}` : `slice ${slice}`;
  };
  return (
    <div class="track" title={title.value} onPointerDown={go} onPointerMove={move}>
      <canvas ref={ruler} class="ruler" aria-hidden="true" />
      <canvas ref={body} tabIndex={0} role="slider" aria-label={`${plane(state.axis.value)} slice`}
        aria-valuemin={0} aria-valuemax={count - 1} aria-valuenow={index} aria-valuetext={spokenSlice(rows, index)} onKeyDown={step} />
    </div>
  );
}

/** Scrolls to a row, under the ruler that stays. */
function reveal(body: HTMLCanvasElement, row: number): void {
  const track = body.parentElement!;
  if (row < 0) return;
  const lowest = RULER + (row + 1) * ROW - track.clientHeight + 4;
  track.scrollTop = Math.min(Math.max(track.scrollTop, lowest), row * ROW);
}

function step(event: KeyboardEvent): void {
  const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
  if (by === undefined || event.shiftKey) return;
  event.preventDefault();
  state.goTo(state.index.value + by);
}

function spokenSlice(rows: readonly Row[], index: number): string {
  const row = rows.find((r) => r.structure.id === state.structureId.value);
  return row ? `slice ${index}, ${readable(row.structure.name)}: ${standing(row, index)}` : `slice ${index}`;
}

function Suggestions() {
  const list = state.suggestions.value;
  const named = (id: number | null): string => readable(state.scan.value?.structures.find((s) => s.id === id)?.name ?? "");
  return (
    <div class="suggestions" role="group" aria-label="Suggested slices">
      <Button name="Next suggested slice" keyId="suggested" class="strong" disabled={list.length === 0} onClick={goToSuggestion}>
        Next <kbd>N</kbd>
      </Button>
      {list.length === 0 && <span class="empty">Slices worth a look appear here after a propagation.</span>}
      {list.slice(0, 5).map((s, position) => (
        <button key={`${s.index} ${s.structure}`} type="button" aria-pressed={position === state.suggestionShown.value && s.index === state.index.value}
          aria-label={`Slice ${s.index} ${named(s.structure)}`.trim()} title={`${named(s.structure)}: ${why(s.why)}`} onClick={() => goToSuggested(position)}>
          <strong>{s.index}</strong> <span>{named(s.structure)}</span>
        </button>
      ))}
    </div>
  );
}

function Legend() {
  return (
    <div class="legend" aria-hidden="true">
      <span class="drawn">drawn</span>
      <span class="propagated">propagated</span>
      <span class="corrected">corrected</span>
      <span class="doubtful">doubtful</span>
    </div>
  );
}
