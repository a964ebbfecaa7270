/** The arithmetic of a wall of equal cells, which may be taller than a browser allows (33,554,428 px in Chromium). */

/** The tallest element that is scrolled natively; beyond it the scroll position is proportional. */
export const TALLEST = 15_000_000;
export const GAP = 8;
/** Height of the line under each picture. */
export const CAPTION = 23;

export interface Layout {
  columns: number;
  rows: number;
  /** Side of a cell's picture, in px: the columns share the spare width. */
  side: number;
  pitchX: number;
  pitchY: number;
  /** Height of the element that is scrolled. */
  spacer: number;
  /** The largest position of the window's top, in px of the whole wall. */
  furthest: number;
  /** Wall pixels for a pixel of native scrolling. */
  ratio: number;
}

export interface Room {
  total: number;
  width: number;
  height: number;
  /** Pictures in a row, if there is room for them. */
  columns: number;
}

export const FEWEST_COLUMNS = 2;
export const MOST_COLUMNS = 16;
/** The narrowest picture. */
const LEAST_SIDE = 40;

export function layout({ total, width, height, columns: wished }: Room): Layout {
  const room = Math.floor((width - GAP) / (LEAST_SIDE + GAP));
  const columns = Math.max(1, Math.min(wished, room));
  const side = Math.max(32, Math.floor((width - GAP * (columns + 1)) / columns));
  const pitchX = side + GAP;
  const pitchY = side + CAPTION + GAP;
  const rows = Math.ceil(total / columns);
  const full = rows * pitchY + GAP;
  const spacer = Math.min(full, TALLEST);
  const furthest = Math.max(0, full - height);
  const ratio = spacer > height && full > spacer ? furthest / (spacer - height) : 1;
  return { columns, rows, side, pitchX, pitchY, spacer, furthest, ratio };
}

/** Items to draw for a window whose top is at `top`: whole rows, some more on each side. */
export function visible(
  wall: Layout,
  top: number,
  height: number,
  total: number,
  spare = 1,
): { start: number; end: number } {
  const first = Math.max(0, Math.floor(top / wall.pitchY) - spare);
  const last = Math.min(wall.rows, Math.ceil((top + height) / wall.pitchY) + spare);
  return {
    start: Math.min(total, first * wall.columns),
    end: Math.min(total, Math.max(first, last) * wall.columns),
  };
}

/** Where a cell stands in the wall. */
export function position(wall: Layout, index: number): { x: number; y: number } {
  return {
    x: GAP + (index % wall.columns) * wall.pitchX,
    y: GAP + Math.floor(index / wall.columns) * wall.pitchY,
  };
}

export interface Point {
  x: number;
  y: number;
}

/** The items whose pictures a rectangle between two points of the wall touches, in their order. */
export function touched(wall: Layout, total: number, one: Point, other: Point): number[] {
  const span = (low: number, high: number, pitch: number, size: number): [number, number] => [
    Math.max(0, Math.ceil((low - GAP - size) / pitch)),
    Math.floor((high - GAP) / pitch),
  ];
  const { min, max } = Math;
  const [left, right] = span(min(one.x, other.x), max(one.x, other.x), wall.pitchX, wall.side);
  const height = wall.side + CAPTION;
  const [first, last] = span(min(one.y, other.y), max(one.y, other.y), wall.pitchY, height);
  const items: number[] = [];
  for (let row = first; row <= min(last, wall.rows - 1); row++)
    for (let column = left; column <= min(right, wall.columns - 1); column++) {
      const index = row * wall.columns + column;
      if (index < total) items.push(index);
    }
  return items;
}

/** The nearest top at which the item is wholly in the window. */
export function reveal(wall: Layout, top: number, height: number, index: number): number {
  const y = Math.floor(index / wall.columns) * wall.pitchY;
  if (y < top) return y;
  const end = y + wall.pitchY + GAP;
  return end > top + height ? end - height : top;
}

/** The top at which the item stands in the middle of the window. */
export function centre(wall: Layout, height: number, index: number): number {
  const y = Math.floor(index / wall.columns) * wall.pitchY;
  return Math.min(wall.furthest, Math.max(0, y - (height - wall.pitchY) / 2));
}
