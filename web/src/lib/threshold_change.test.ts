import { describe, expect, it } from 'vitest';
import { countChanges } from './threshold_change';

describe('what a moved threshold changes', () => {
  it('is written with signs, in the order TP, FP, FN', () => {
    expect(countChanges({ tp: 10, fp: 20, fn: 30 }, { tp: 7, fp: 5, fn: 33 })).toEqual([
      { outcome: 'matched', text: '−3 TP' },
      { outcome: 'missing', text: '−15 FP' },
      { outcome: 'extra', text: '+3 FN' },
    ]);
  });
  it('leaves out what does not change', () => {
    expect(countChanges({ tp: 1, fp: 1, fn: 1 }, { tp: 1, fp: 1, fn: 1 })).toEqual([]);
    expect(countChanges({ tp: 1, fp: 1, fn: 1 }, { tp: 1, fp: 1_235, fn: 1 })).toEqual([
      { outcome: 'missing', text: '+1,234 FP' },
    ]);
  });
});
