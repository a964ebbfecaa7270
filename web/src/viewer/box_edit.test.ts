import { describe, expect, it } from 'vitest';
import { drawn, pulled, type Handle } from './box_edit';
import type { Box } from '../lib/api';

const picture = { width: 100, height: 80 };

describe('a box that is adjusted', () => {
  it('moves with its middle and stays within the picture', () => {
    expect(pulled([10, 10, 20, 20], 'move', 5, -3, picture)).toEqual([15, 7, 20, 20]);
    expect(pulled([10, 10, 20, 20], 'move', 500, -300, picture)).toEqual([80, 0, 20, 20]);
  });

  it('follows each corner, the opposite one staying where it is', () => {
    expect(pulled([10, 10, 20, 20], 'nw', 5, 5, picture)).toEqual([15, 15, 15, 15]);
    expect(pulled([10, 10, 20, 20], 'se', 5, -5, picture)).toEqual([10, 10, 25, 15]);
    expect(pulled([10, 10, 20, 20], 'ne', 5, -5, picture)).toEqual([10, 5, 25, 25]);
    expect(pulled([10, 10, 20, 20], 'sw', -5, 5, picture)).toEqual([5, 10, 25, 25]);
  });

  it('keeps an area and stays in the picture whatever is pulled', () => {
    const box: Box = [10, 10, 20, 20];
    for (const handle of ['nw', 'ne', 'sw', 'se', 'move'] as Handle[]) {
      for (const x of [-1000, -1, 0, 1, 1000]) {
        for (const y of [-1000, 1, 1000]) {
          const [left, top, width, height] = pulled(box, handle, x, y, picture);
          expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
          expect(Math.min(width, height)).toBeGreaterThanOrEqual(1);
          expect(left + width).toBeLessThanOrEqual(picture.width);
          expect(top + height).toBeLessThanOrEqual(picture.height);
        }
      }
    }
  });
});

describe('drawing', () => {
  const picture = { width: 100, height: 50 };
  it('goes between any two corners and stays within the picture', () => {
    expect(drawn([10, 10], [30, 25], picture)).toEqual([10, 10, 20, 15]);
    expect(drawn([30, 25], [10, 10], picture)).toEqual([10, 10, 20, 15]);
    expect(drawn([-5, -5], [130, 60], picture)).toEqual([0, 0, 100, 50]);
  });
  it('needs an area', () => {
    expect(drawn([10, 10], [10, 40], picture)).toBeNull();
    expect(drawn([-20, 10], [-10, 40], picture)).toBeNull();
  });
});
