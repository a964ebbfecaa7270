import { expect, test } from 'vitest';
import { axisEnd, scoreTicks } from './histogram';

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
