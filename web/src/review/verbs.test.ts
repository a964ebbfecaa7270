import { expect, test } from 'vitest';
import { verbsOf, type Subject } from './verbs';

const concepts = ['cat', 'dog'];
const box: [number, number, number, number] = [1, 2, 3, 4];
const subject = (changes: Partial<Subject>): Subject => ({
  concept: 0,
  outcome: 'missing',
  over: 'missing',
  cause: null,
  partner: null,
  box,
  ...changes,
});
const partner = (changes: object) =>
  ({
    kind: 'annotation',
    concept: 1,
    score: null,
    iou: null,
    box: null,
    outcome: 'extra',
    ...changes,
  }) as NonNullable<Subject['partner']>;

test('an unmatched prediction adds a label, or moves or renames the one it meets', () => {
  const plain = verbsOf(subject({ cause: 'background' }), 'missing', 'detection', concepts);
  expect([plain.wrong, plain.right, plain.change]).toEqual([
    'Add label',
    'Model is wrong',
    undefined,
  ]);
  const moved = verbsOf(
    subject({ cause: 'badly_placed', partner: partner({ concept: 0, box }) }),
    'missing',
    'detection',
    concepts,
  );
  expect(moved.wrong).toBe('Move label here');
  expect(moved.change).toEqual({ replaces: true, box });
  const there: [number, number, number, number] = [5, 6, 7, 8];
  const renamed = verbsOf(
    subject({ cause: 'other_concept', partner: partner({ box: there }) }),
    'missing',
    'detection',
    concepts,
  );
  expect([renamed.wrong, renamed.right]).toEqual(['Relabel as cat', 'Keep dog']);
  expect(renamed.change).toEqual({ replaces: true, box: there });
});

test('an annotation is removed, matched or not', () => {
  for (const outcome of ['extra', 'matched'] as const) {
    const item = subject({ outcome, over: outcome });
    expect(verbsOf(item, outcome, 'detection', concepts).wrong).toBe('Remove label');
    expect(verbsOf(item, outcome, 'tagging', concepts).right).toBe('Label is right');
  }
});

test('below its threshold nothing is claimed of the model', () => {
  const item = subject({ outcome: 'below', over: 'missing' });
  expect(verbsOf(item, 'below', 'detection', concepts).right).toBe('No label is missing');
});

test('an image gets the predicted class in place of the annotated one', () => {
  const swapped = verbsOf(subject({ partner: partner({}) }), 'missing', 'classification', concepts);
  expect([swapped.wrong, swapped.right]).toEqual(['Relabel as cat', 'Keep dog']);
  const extra = subject({
    outcome: 'extra',
    over: 'extra',
    partner: partner({ kind: 'prediction' }),
  });
  expect(verbsOf(extra, 'extra', 'classification', concepts).wrong).toBe('Relabel as dog');
});

test('where the model agrees, another class has to be chosen', () => {
  const matched = subject({ outcome: 'matched', over: 'matched' });
  expect(verbsOf(matched, 'matched', 'classification', concepts).blocked).toContain('with n');
  const unsure = subject({
    outcome: 'extra',
    over: 'extra',
    partner: partner({ kind: 'prediction', concept: 0 }),
  });
  expect(verbsOf(unsure, 'extra', 'classification', concepts).blocked).not.toBeNull();
});

test('an annotation that a better prediction matches is neither moved nor renamed', () => {
  for (const cause of ['badly_placed', 'other_concept'] as const) {
    const item = subject({ cause, partner: partner({ box, outcome: 'matched' }) });
    const { wrong, change } = verbsOf(item, 'missing', 'detection', concepts);
    expect([wrong, change]).toEqual(['Add label', undefined]);
  }
});
