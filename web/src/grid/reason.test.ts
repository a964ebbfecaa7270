import { expect, test } from 'vitest';
import { reasonOf } from './reason';

const partner = { kind: 'prediction', concept: 1, score: 0.277, iou: 0.184, box: null } as never;
const concepts = ['person', 'motorcycle'];

test.each([
  ['below_threshold', 'score .277'],
  ['badly_placed', 'IoU .18'],
  ['taken', 'taken'],
  ['duplicate', 'duplicate'],
  ['other_concept', 'on motorcycle'],
  ['nothing_there', ''],
  ['background', ''],
] as const)('%s', (cause, text) => {
  expect(reasonOf({ cause, partner }, 'extra', concepts)).toBe(text);
});

test('what is no error has no reason', () => {
  expect(reasonOf({ cause: null, partner }, 'matched', concepts)).toBe('');
});
