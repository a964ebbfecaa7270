import { describe, expect, it } from 'vitest';
import { traced } from './viewport';

describe('an outline', () => {
  it('is drawn where the picture is seen', () => {
    expect(traced([1, 2, 3, 4, 5, 0], { scale: 2, x: 10, y: -1 })).toBe('12,3 16,7 20,-1');
    expect(traced([], { scale: 1, x: 0, y: 0 })).toBe('');
  });
});
