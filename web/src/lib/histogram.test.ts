import { describe, expect, it, test } from 'vitest';
import {
  axisEnd,
  heightOf,
  itemsPerBin,
  positionOf,
  scaleOf,
  scoreAt,
  scoreTicks,
} from './histogram';

test('the axis ends beyond every bar of true positives, not at a flood of weak predictions', () => {
  const right = [3, 5, 8, 2, 0, 1, 4, 6, 7, 2];
  const totals = [3, 5, 8, 9, 4000, 2, 5, 9, 9, 3];
  expect(axisEnd(totals, right)).toBeLessThan(4000);
  expect(axisEnd(totals, right)).toBeGreaterThanOrEqual(8);
  expect(axisEnd([], [])).toBe(1);
});

test('scores are labelled in round steps', () => {
  expect(scoreTicks(0, 1)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  expect(scoreTicks(-3, 12)).toContain(0);
  expect(scoreTicks(0.5, 0.5)).toEqual([]);
});

describe('the strip', () => {
  const histogram = {
    edges: [0, 0.25, 0.5, 0.75, 1],
    right: [1, 2, 3, 4],
    wrong: [8, 4, 2, 0],
    other: [1, 0, 0, 0],
  };
  const scale = scaleOf(histogram);

  it('goes from score to height and back, in both directions', () => {
    for (const reverse of [false, true])
      for (const value of [0, 0.1, 0.77, 1])
        expect(scoreAt(heightOf(value, scale, reverse), scale, reverse)).toBeCloseTo(value);
    expect(heightOf(1, scale, false)).toBe(0);
    expect(heightOf(1, scale, true)).toBe(1);
  });

  it('finds where the items of a score begin', () => {
    const all = itemsPerBin(histogram, 'all', null);
    expect(all).toEqual([10, 6, 5, 4]);
    expect(positionOf(1, histogram, all, 25, false)).toBe(0);
    expect(positionOf(0.75, histogram, all, 25, false)).toBe(4);
    expect(positionOf(0.5, histogram, all, 25, false)).toBe(9);
    expect(positionOf(0, histogram, all, 25, false)).toBe(24);
    expect(positionOf(0.75, histogram, all, 25, true)).toBe(21);
  });

  it('ends Matched and Missing at the threshold', () => {
    expect(itemsPerBin(histogram, 'matched', 0.5)).toEqual([0, 0, 3, 4]);
    expect(itemsPerBin(histogram, 'missing', 0.25)).toEqual([0, 4, 2, 0]);
  });
});
