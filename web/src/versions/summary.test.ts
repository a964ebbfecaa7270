import { expect, test } from 'vitest';
import { change, day, ratio, tick } from './summary';

test('a change is an arrow with its size, good or bad by what is better', () => {
  expect(change(0.3, 0.25, ratio, 1)).toEqual({ text: '▲ .050', isBetter: true });
  expect(change(0.2, 0.25, ratio, 1)).toEqual({ text: '▼ .050', isBetter: false });
  expect(change(10, 12, String, -1)).toEqual({ text: '▼ 2', isBetter: true });
  expect(change(12, 10, String, -1)).toEqual({ text: '▲ 2', isBetter: false });
});

test('no change without two figures, or between equal ones', () => {
  expect(change(null, 1, ratio, 1)).toBeNull();
  expect(change(1, null, ratio, 1)).toBeNull();
  expect(change(1, 1, ratio, 1)).toBeNull();
});

test('at most two versions are ticked, the earlier click gives way', () => {
  expect(tick([], 'a')).toEqual(['a']);
  expect(tick(['a'], 'b')).toEqual(['a', 'b']);
  expect(tick(['a', 'b'], 'c')).toEqual(['b', 'c']);
  expect(tick(['a', 'b'], 'a')).toEqual(['b']);
});

test('the day of a time stamp', () => {
  expect(day('2026-11-28T12:00:00+00:00')).toBe('28 Nov 2026');
});
