import { expect, test } from 'vitest';
import { pointErrors } from './point_errors';

const diamond = 'm0 -2l2 2l-2 2l-2 -2z';
const cross = 'm-2 -2l4 4m0 -4l-4 4';

test('each labelled keypoint is joined with where it was predicted', () => {
  const predicted = `M1 2L3.5 4M1 2${diamond}M3.5 4${cross}M-7 8${diamond}`;
  const annotated = `M2 2${diamond}M0 0m0 0M9 8${cross}`;
  expect(pointErrors(predicted, annotated)).toBe('M2 2L1 2M9 8L-7 8');
});

test('masks and oriented boxes have no keypoints', () => {
  expect(pointErrors('M1 2h3v4h-3z', 'M1 2h3v4h-3z')).toBeNull();
  expect(pointErrors('M1 2L3 4L5 6z', `M1 2${diamond}`)).toBeNull();
});

test('the arms of a cross are no keypoints', () => {
  expect(pointErrors(`M5 5${cross}`, `M6 6${cross}`)).toBe('M6 6L5 5');
});
