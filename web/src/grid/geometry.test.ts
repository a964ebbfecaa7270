import { describe, expect, it, test } from 'vitest';
import {
  CAPTION,
  centre,
  GAP,
  layout,
  position,
  reveal,
  TALLEST,
  touched,
  visible,
} from './geometry';

const room = (total: number, width = 1040, height = 800) => ({ total, width, height, columns: 7 });

describe('a wall of cells', () => {
  it('shares the spare width among the columns', () => {
    for (const width of [120, 333, 390, 1040, 1441, 2560]) {
      const wall = layout(room(1000, width));
      const used = wall.columns * wall.pitchX + GAP;
      expect(used).toBeLessThanOrEqual(Math.max(width, 32 + 2 * GAP));
      expect(width - used).toBeLessThan(wall.columns + 1);
    }
  });

  it('has the wished number of columns wherever there is room for them', () => {
    expect(layout(room(1000, 2560)).columns).toBe(7);
    expect(layout(room(1000, 390)).columns).toBe(7);
    expect(layout(room(1000, 200)).columns).toBeLessThan(7);
  });

  it.each([1, 7, 8, 1_000, 1_000_000, 50_000_000])(
    'reaches the last of %i items by scrolling to the end',
    (total) => {
      const wall = layout(room(total));
      expect(wall.spacer).toBeLessThanOrEqual(TALLEST);
      const end = visible(wall, wall.furthest, 800, total);
      expect(end.end).toBe(total);
      const scrolled = (wall.spacer - 800) * wall.ratio;
      expect(Math.max(0, scrolled)).toBeCloseTo(wall.furthest, 3);
    },
  );

  it('draws every item that is in the window, and few others', () => {
    const wall = layout(room(5_000));
    for (const top of [0, 1, 777.5, 9_999, wall.furthest]) {
      const { start, end } = visible(wall, top, 800, 5_000);
      for (let index = 0; index < 5_000; index++) {
        const { y } = position(wall, index);
        if (y + wall.side > top && y < top + 800) expect(index >= start && index < end).toBe(true);
      }
      expect(end - start).toBeLessThanOrEqual((Math.ceil(800 / wall.pitchY) + 3) * wall.columns);
    }
  });

  it('brings an item wholly into the window, moving no further than needed', () => {
    const wall = layout(room(5_000));
    for (const index of [0, 1, 17, 999, 4_999]) {
      for (const top of [0, 500, 20_000, wall.furthest]) {
        const moved = reveal(wall, top, 800, index);
        const { y } = position(wall, index);
        expect(y).toBeGreaterThanOrEqual(moved);
        expect(y + wall.side).toBeLessThanOrEqual(moved + 800);
        if (y >= top + GAP && y + wall.pitchY <= top + 800) expect(moved).toBe(top);
      }
    }
  });

  it('puts a jump target in the middle, but never beyond the ends', () => {
    const wall = layout(room(5_000));
    expect(centre(wall, 800, 0)).toBe(0);
    expect(centre(wall, 800, 4_999)).toBe(wall.furthest);
    const { y } = position(wall, 2_500);
    const top = centre(wall, 800, 2_500);
    expect(Math.abs(y + wall.pitchY / 2 - (top + 400))).toBeLessThan(wall.pitchY);
  });

  it('holds with nothing to show', () => {
    const wall = layout(room(0));
    expect(visible(wall, 0, 800, 0)).toEqual({ start: 0, end: 0 });
    expect(wall.furthest).toBe(0);
  });
});

test('a rectangle touches the cells that a loop over all of them finds', () => {
  const wall = layout({ total: 47, width: 700, height: 500, columns: 5 });
  const points = [
    { x: 0, y: 0 },
    { x: 4, y: 3 },
    { x: 150, y: 90 },
    { x: 333, y: 410 },
    { x: 699, y: 1300 },
    { x: -20, y: 200 },
  ];
  for (const one of points)
    for (const other of points) {
      const [left, right] = [Math.min(one.x, other.x), Math.max(one.x, other.x)];
      const [top, bottom] = [Math.min(one.y, other.y), Math.max(one.y, other.y)];
      const expected = Array.from({ length: 47 }, (_, index) => index).filter((index) => {
        const { x, y } = position(wall, index);
        return x <= right && x + wall.side >= left && y <= bottom && y + wall.side + CAPTION >= top;
      });
      expect(touched(wall, 47, one, other)).toEqual(expected);
    }
});
