import { expect, test } from 'vitest';
import { apChanges } from './ap_changes';

const baseline = {
  concepts: ['cat', 'dog', 'owl', 'rare'],
  ap: [0.5, 0.4, 0.3, 0.9],
  annotations: [20, 20, 20, 3],
};

test('what fell and what rose come apart, most first', () => {
  const candidate = {
    concepts: ['owl', 'dog', 'cat', 'rare', 'new'],
    ap: [0.6, 0.35, 0.2, 0.1, 0.5],
    annotations: [20, 20, 20, 3, 40],
  };
  const { fell, rose } = apChanges(baseline, candidate, 5);
  expect(fell.map((one) => one.concept)).toEqual(['cat', 'dog']);
  expect(rose).toEqual([{ concept: 'owl', annotations: 20, earlier: 0.3, later: 0.6 }]);
});

test('the limit holds on both sides, and what is undefined takes no part', () => {
  const candidate = { ...baseline, ap: [0.4, null, 0.2, null] };
  expect(apChanges(baseline, candidate, 1).fell).toHaveLength(1);
  expect(apChanges(baseline, baseline, 5)).toEqual({ fell: [], rose: [] });
});
