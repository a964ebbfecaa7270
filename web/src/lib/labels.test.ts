import { describe, expect, it } from 'vitest';
import { outcomeAt } from './labels';

describe('an outcome at a threshold', () => {
  it('is its own at or over it, and below under it', () => {
    const item = { score: 0.5, over: 'missing', outcome: 'missing' } as const;
    expect(outcomeAt(item, 0.5)).toBe('missing');
    expect(outcomeAt(item, 0.50001)).toBe('below');
    expect(outcomeAt({ score: null, over: 'extra', outcome: 'extra' }, 0.9)).toBe('extra');
  });
});
