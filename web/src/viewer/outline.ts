/** Edges of one label on a slice, in pixel edges: runs along rows and along columns, as long as they go. */
export interface Edges {
  horizontal: number[]; // y, x from, x to
  vertical: number[]; // x, y from, y to
}

/** The outlines of all labels of a slice, by id. Neighbouring labels both have their edge. */
export function outlines(labels: Uint8Array, height: number, width: number): Map<number, Edges> {
  const found = new Map<number, Edges>();
  const box = boxOf(labels, width);
  if (!box) return found;
  const edges = (id: number): Edges => {
    let known = found.get(id);
    if (!known) found.set(id, (known = { horizontal: [], vertical: [] }));
    return known;
  };
  const at = (y: number, x: number): number => (y < 0 || x < 0 || y >= height || x >= width ? 0 : labels[y * width + x]!);
  const [top, left, bottom, right] = box; // the last two excluded
  for (const side of [-1, 0]) { // the pixel before the edge, and the one after it
    for (let y = top; y <= bottom; y++) {
      const own = (x: number): number => (at(y + side, x) !== at(y - 1 - side, x) ? at(y + side, x) : 0);
      runs(left, right, own, (id, from, to) => edges(id).horizontal.push(y, from, to));
    }
    for (let x = left; x <= right; x++) {
      const own = (y: number): number => (at(y, x + side) !== at(y, x - 1 - side) ? at(y, x + side) : 0);
      runs(top, bottom, own, (id, from, to) => edges(id).vertical.push(x, from, to));
    }
  }
  return found;
}

/** Runs of the same id other than 0 along a line. */
function runs(start: number, end: number, id: (n: number) => number, run: (id: number, from: number, to: number) => void): void {
  let from = start;
  let current = 0;
  for (let n = start; n <= end; n++) {
    const next = n < end ? id(n) : 0;
    if (next === current) continue;
    if (current) run(current, from, n);
    from = n;
    current = next;
  }
}

function boxOf(labels: Uint8Array, width: number): [number, number, number, number] | null {
  let [first, last, left, right] = [-1, -1, width, 0];
  for (let n = 0; n < labels.length; n++) {
    if (!labels[n]) continue;
    if (first < 0) first = n;
    last = n;
    const x = n % width;
    if (x < left) left = x;
    if (x >= right) right = x + 1;
  }
  return first < 0 ? null : [Math.floor(first / width), left, Math.floor(last / width) + 1, right];
}

export function pathOf(edges: Edges): Path2D {
  const path = new Path2D();
  for (let n = 0; n < edges.horizontal.length; n += 3) {
    const [y, from, to] = edges.horizontal.slice(n, n + 3) as [number, number, number];
    path.moveTo(from, y);
    path.lineTo(to, y);
  }
  for (let n = 0; n < edges.vertical.length; n += 3) {
    const [x, from, to] = edges.vertical.slice(n, n + 3) as [number, number, number];
    path.moveTo(x, from);
    path.lineTo(x, to);
  }
  return path;
}
