/** Line drawings of 24 x 24, in the colour of the text. */
const SHAPES = {
  look: "M12 3v18M3 12h18M12 3l-2.5 2.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5",
  brush: "M20 4c-3 1-8 5-10.5 8.5l2 2C15 12 19 7 20 4zM9 13c-2.5 0-3.500 1.500-3.500 3.500 0 1.500-.8 2.500-2 3 3.500.8 7.500 0 7.500-4z",
  eraser: "M8 20h12M4.500 14.500l9-9 6 6-8.500 8.500H8zM9.500 9.500l6 6",
  polygon: "M5 8l8-4 7 7-4 8-10-1zM5 8v.01M13 4v.01M20 11v.01M16 19v.01M6 18v.01",
  scribble: "M4 17c2-8 5-12 6-9s-3 10-1 10 4-9 6-9-1 7 1 7 3-2 4-4",
  click: "M9 9l10.500 4-4.500 2-2 4.500zM5 5l1.500 1.500M9 3v2M3 9h2",
  box: "M4 4h4M10 4h4M16 4h4v4M20 10v4M20 16v4h-4M14 20h-4M8 20H4v-4M4 14v-4M4 8V4",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 010 12h-3",
  redo: "M15 14l5-5-5-5M20 9H10a6 6 0 000 12h3",
  shown: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 9a3 3 0 100 6 3 3 0 000-6z",
  hidden: "M3 3l18 18M10 5.700c.6-.1 1.300-.2 2-.2 6 0 9.500 6.500 9.500 6.500a17 17 0 01-3 3.700M6 7.500A16 16 0 002.500 12S6 18.500 12 18.500c1.500 0 2.800-.4 4-1",
  locked: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 017 0v3",
  unlocked: "M6 11h12v9H6zM8.500 11V7a3.500 3.500 0 016.800-1.200",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  stop: "M6 6h12v12H6z",
  backward: "M20 12H5M11 6l-6 6 6 6",
  forward: "M4 12h15M13 6l6 6-6 6",
  both: "M3 12h18M8 7l-5 5 5 5M16 7l5 5-5 5",
  next: "M3 12h12M10 7l5 5-5 5M20 5v14",
  check: "M5 13l4.500 4.500L19 7",
  absent: "M12 4a8 8 0 100 16 8 8 0 000-16zM6.500 6.500l11 11",
  clear: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13",
  fill: "M4 7c4-3 12-3 16 0M4 17c4 3 12 3 16 0M4 12h2M9 12h2M13 12h2M18 12h2",
  help: "M9 9a3 3 0 115 2.200c-1.200.9-2 1.500-2 3M12 18v.01",
} as const;

export type IconName = keyof typeof SHAPES;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}
