/** Where the pictures of a map go, and what a line drawn around some of its points holds. */

export interface Spot {
  x: number;
  y: number;
}

/** The part of the map that is shown, in its own coordinates. */
export interface Extent {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const WHOLE: Extent = { left: 0, top: 0, right: 1, bottom: 1 };

/** The indices of the spots, in their order, at which squares of a side do not overlap. */
export function placeSquares(spots: readonly Spot[], side: number): number[] {
  const placed: number[] = [];
  const cells = new Map<string, number[]>();
  const key = (column: number, row: number): string => `${column},${row}`;
  spots.forEach((spot, index) => {
    const [column, row] = [Math.floor(spot.x / side), Math.floor(spot.y / side)];
    for (let dx = -1; dx <= 1; dx++)
      for (let dy = -1; dy <= 1; dy++)
        for (const other of cells.get(key(column + dx, row + dy)) ?? []) {
          const { x, y } = spots[other]!;
          if (Math.abs(x - spot.x) < side && Math.abs(y - spot.y) < side) return;
        }
    placed.push(index);
    cells.set(key(column, row), [...(cells.get(key(column, row)) ?? []), index]);
  });
  return placed;
}

/** Whether a spot is inside a closed line, by the number of its sides to the right of it. */
export function isInside(line: readonly Spot[], { x, y }: Spot): boolean {
  let inside = false;
  line.forEach((one, index) => {
    const other = line.at(index - 1)!;
    if (one.y > y === other.y > y) return;
    const crossing = one.x + ((y - one.y) / (other.y - one.y)) * (other.x - one.x);
    if (crossing > x) inside = !inside;
  });
  return inside;
}

/** The smallest extent with all spots, and a margin. */
export function extentOf(spots: readonly Spot[]): Extent {
  const xs = spots.map(({ x }) => x);
  const ys = spots.map(({ y }) => y);
  const [left, right, top, bottom] = [
    Math.min(...xs),
    Math.max(...xs),
    Math.min(...ys),
    Math.max(...ys),
  ];
  const margin = Math.max(0.01, 0.05 * Math.max(right - left, bottom - top));
  return {
    left: left - margin,
    right: right + margin,
    top: top - margin,
    bottom: bottom + margin,
  };
}

export const isWithin = ({ left, top, right, bottom }: Extent, { x, y }: Spot): boolean =>
  x >= left && x <= right && y >= top && y <= bottom;
