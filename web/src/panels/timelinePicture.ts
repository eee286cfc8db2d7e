import { readable } from "../format";
import { runs, type Row } from "../timeline";

export const NAMES = 136; // CSS pixels on the left
export const RULER = 18;
export const ROW = 15;
const RIGHT = 10;
const DOUBT = "#ffb020";

export interface Moment {
  rows: Row[];
  count: number;
  index: number;
  active: number | null;
  suggested: number[];
}

/** Where a slice is on the timeline, and which slice is at a place. */
export class Scale {
  constructor(private readonly width: number, private readonly count: number) {}

  get perSlice(): number {
    return Math.max(0.1, (this.width - NAMES - RIGHT) / Math.max(this.count, 1));
  }

  x(index: number): number {
    return NAMES + index * this.perSlice;
  }

  index(x: number): number {
    return Math.min(Math.max(Math.floor((x - NAMES) / this.perSlice), 0), this.count - 1);
  }
}

/** A canvas of that size in CSS pixels, cleared, ready to draw on in CSS pixels. */
export function prepared(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  return context;
}

/** A row a structure. */
export function drawRows(canvas: HTMLCanvasElement, width: number, moment: Moment): void {
  const height = moment.rows.length * ROW;
  const context = prepared(canvas, width, height);
  const scale = new Scale(width, moment.count);
  moment.rows.forEach((row, n) => drawRow(context, scale, row, n * ROW, moment));
  drawCursor(context, scale, moment.index, height);
}

/** Slice numbers, and the suggestions as marks. */
export function drawRuler(canvas: HTMLCanvasElement, width: number, moment: Moment): void {
  const context = prepared(canvas, width, RULER);
  const scale = new Scale(width, moment.count);
  drawNumbers(context, scale, moment);
  drawCursor(context, scale, moment.index, RULER);
}

function drawCursor(context: CanvasRenderingContext2D, scale: Scale, index: number, height: number): void {
  const [left, wide] = [scale.x(index), Math.max(scale.perSlice, 2)];
  context.fillStyle = "rgba(140, 200, 255, 0.3)";
  context.fillRect(left, 0, wide, height);
  context.fillStyle = "#9bd0ff";
  context.fillRect(left - 1, 0, 1, height);
  context.fillRect(left + wide, 0, 1, height);
}

function drawNumbers(context: CanvasRenderingContext2D, scale: Scale, { count, suggested }: Moment): void {
  const step = [1, 2, 5, 10, 20, 50, 100, 200].find((n) => n * scale.perSlice > 44) ?? 500;
  context.textAlign = "center";
  for (let n = 0; n < count; n += step) {
    const x = scale.x(n + 0.5);
    context.fillStyle = "#9aa8ba";
    context.fillText(String(n), x, 7);
    context.fillStyle = "#3a4656";
    context.fillRect(x, RULER - 4, 1, 4);
  }
  for (const index of suggested) {
    const x = scale.x(index + 0.5);
    context.fillStyle = DOUBT;
    context.beginPath();
    context.moveTo(x - 5, RULER - 7);
    context.lineTo(x + 5, RULER - 7);
    context.lineTo(x, RULER);
    context.fill();
  }
}

function drawRow(context: CanvasRenderingContext2D, scale: Scale, row: Row, top: number, moment: Moment): void {
  const active = row.structure.id === moment.active;
  const { colour } = row.structure;
  context.fillStyle = active ? "#1f2a38" : "#141b24";
  context.fillRect(0, top + 1, scale.x(moment.count), ROW - 2);
  context.fillStyle = active ? "#ffffff" : "#b7c2d0";
  context.textAlign = "left";
  context.fillText(clipped(context, readable(row.structure.name), NAMES - 14), 6, top + ROW / 2);
  const bar = ([first, last]: [number, number], y: number, high: number): void =>
    context.fillRect(scale.x(first), top + y, Math.max((last - first + 1) * scale.perSlice, 1.5), high);
  context.globalAlpha = 0.55;
  context.fillStyle = colour;
  for (const run of row.propagated) bar(run, 4, ROW - 8);
  context.globalAlpha = 1;
  context.fillStyle = DOUBT;
  for (const run of runs(row.doubtful)) bar(run, ROW - 4, 2.5);
  for (const index of row.drawn) drawMark(context, scale, index, top, colour, row.corrected.includes(index));
}

/** A drawn slice is a block, a corrected one a diamond: told apart by form as well as by colour. */
function drawMark(context: CanvasRenderingContext2D, scale: Scale, index: number, top: number, colour: string, corrected: boolean): void {
  const [x, y, size] = [scale.x(index + 0.5), top + ROW / 2, corrected ? 6 : Math.max(scale.perSlice / 2, 2)];
  context.beginPath();
  if (corrected) {
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
    context.closePath();
  } else context.rect(x - size, y - 6, size * 2, 12);
  context.fillStyle = corrected ? "#ffffff" : colour;
  context.fill();
  context.lineWidth = 1;
  context.strokeStyle = corrected ? colour : "#ffffff";
  context.stroke();
}

function clipped(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let short = text;
  while (short.length > 1 && context.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}
