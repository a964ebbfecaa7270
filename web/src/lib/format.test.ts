import { describe, expect, it } from 'vitest';
import { score } from './format';

describe('a score in words', () => {
  it('never rounds to a bound it has not reached', () => {
    expect(score(0.9999)).toBe('.99990');
    expect(score(0.9999999)).toBe('.99999');
    expect(score(0.0001)).toBe('1.0e-4');
    expect(score(1)).toBe('1.000');
    expect(score(0)).toBe('.000');
    expect(score(null)).toBe('–');
  });
});
