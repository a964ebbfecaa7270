/** Rows of whole pictures that fill the width, each row at one height. */

export interface Sized {
  width: number;
  height: number;
}

export interface Placed<T> {
  item: T;
  width: number;
  height: number;
}

export const GAP = 8;
const LEAST_RATIO = 0.4;
const MOST_RATIO = 3;

/** The shape of a picture, within bounds; 4 : 3 where its size is not known. */
export function ratioOf({ width, height }: Sized): number {
  if (!(width > 0 && height > 0)) return 4 / 3;
  return Math.min(MOST_RATIO, Math.max(LEAST_RATIO, width / height));
}

/** Fill rows of about `wished` px height; the last row keeps that height. */
export function justify<T extends Sized>(
  items: readonly T[],
  width: number,
  wished: number,
): Placed<T>[][] {
  const rows: Placed<T>[][] = [];
  let row: T[] = [];
  let ratios = 0;
  const close = (isLast: boolean): void => {
    const room = width - GAP * (row.length - 1);
    const height = isLast ? Math.min(wished, room / ratios) : room / ratios;
    rows.push(row.map((item) => ({ item, width: ratioOf(item) * height, height })));
    [row, ratios] = [[], 0];
  };
  for (const item of items) {
    row.push(item);
    ratios += ratioOf(item);
    if (ratios * wished + GAP * (row.length - 1) >= width) close(false);
  }
  if (row.length) close(true);
  return rows;
}

/** The item of the next (by 1) or the previous row that lies nearest to another one, by their middles. */
export function besideRow<T>(rows: readonly Placed<T>[][], index: number, by: 1 | -1): number {
  let first = 0;
  const starts = rows.map((row) => (first += row.length) - row.length);
  const at = starts.findLastIndex((start) => start <= index);
  const there = at + by;
  if (!rows[there]) return index;
  const middles = (row: readonly Placed<T>[]): number[] => {
    let left = 0;
    return row.map(({ width }) => (left += width + GAP) - width / 2);
  };
  const wished = middles(rows[at]!)[index - starts[at]!]!;
  const distances = middles(rows[there]!).map((middle) => Math.abs(middle - wished));
  return starts[there]! + distances.indexOf(Math.min(...distances));
}
