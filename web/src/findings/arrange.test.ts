import { describe, expect, test } from 'vitest';
import type { FindingDocument } from '../lib/api';
import { arrange, gainText } from './arrange';

const finding = (changes: Partial<FindingDocument>): FindingDocument => ({
  key: 'k',
  kind: 'slice',
  group: 'training',
  sentence: 'a sentence',
  evidence: '',
  gain: { errors: 3, at_most: true, assumption: '' },
  count: 3,
  concept: null,
  items: null,
  action: 'Look',
  known: null,
  ...changes,
});

describe('findings', () => {
  test('are grouped in the order of who can act', () => {
    const found = arrange([
      finding({ key: 'a' }),
      finding({ key: 'b', group: 'baseline' }),
      finding({ key: 'c', group: 'now' }),
    ]);
    expect(found.map(({ group }) => group)).toEqual(['now', 'training', 'baseline']);
  });

  test('that are known stand at the end of their group', () => {
    const known = { who: 'ann', when: '2026-01-01T00:00:00+00:00', remark: '' };
    const [group] = arrange([finding({ key: 'a', known }), finding({ key: 'b' })]);
    expect(group!.findings.map(({ key }) => key)).toEqual(['b', 'a']);
  });

  test('say what acting on them gains', () => {
    expect(gainText(finding({}))).toEqual({ value: '−3', unit: 'errors at most' });
    const counted = { errors: 1200, at_most: false, assumption: '' };
    expect(gainText(finding({ gain: counted }))).toEqual({ value: '−1,200', unit: 'errors' });
    expect(gainText(finding({ group: 'baseline' }))!.value).toBe('+3');
    const unknown = { errors: null, at_most: false, assumption: '' };
    expect(gainText(finding({ gain: unknown }))).toBeNull();
  });
});
