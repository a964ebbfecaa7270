import { describe, expect, it } from 'vitest';
import { formatPoint, parsePoint, POINT_KINDS, pointLabel, pointOf } from './point';

describe('an operating point', () => {
  it('comes back as it was', () => {
    for (const kind of POINT_KINDS) {
      const point = pointOf(kind);
      expect(parsePoint(formatPoint(point))).toEqual(point);
    }
    expect(parsePoint('score:-0.25')).toEqual({ kind: 'score', value: -0.25 });
  });

  it('is null where it is not one that is offered', () => {
    for (const text of ['cost:1,2', 'score:', 'score:x', 'f1:0.5', '', 'precision'])
      expect(parsePoint(text)).toBeNull();
  });

  it('has a description', () => {
    expect(pointLabel('score:0.4')).toBe('both at a score of 0.4');
    expect(pointLabel('precision:0.9')).toContain('a precision of at least 0.9');
    expect(pointLabel('cost:1,2')).toBe('each version at cost:1,2');
  });
});
