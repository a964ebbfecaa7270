import { describe, expect, it } from 'vitest';
import { score } from './format';
import { latest } from './latest';
import { outcomeAt } from './labels';
import { formatPlace, parsePlace, START, type Place } from '../state/route';
import { traced } from '../viewer/viewport';
import { heightOf, itemsPerBin, positionOf, scaleOf, scoreAt } from './histogram';

describe('an outline', () => {
  it('is drawn where the picture is seen', () => {
    expect(traced([1, 2, 3, 4, 5, 0], { scale: 2, x: 10, y: -1 })).toBe('12,3 16,7 20,-1');
    expect(traced([], { scale: 1, x: 0, y: 0 })).toBe('');
  });
});

describe('a place in the address', () => {
  it('comes back as it was', () => {
    const place: Place = {
      page: 'compare',
      only: ['cause:background', 'where:box blur=..2'],
      against: 'v/2',
      candidate: 'v3',
      point: 'score:0.5',
      iou: 0.75,
      view: 'a & b',
      version: 'v/1?',
      tab: 'missing',
      split: 'training',
      concept: 'traffic: light',
      sort: 'recall',
      at: new Map([
        ['traffic: light', 0.25],
        ['a', -3e-7],
      ]),
      reverse: true,
      whole: true,
      imageOrder: 'fn',
      item: 12_345_678,
      row: 'a77',
      open: true,
      order: 'mistakes',
      review: 'reviewed',
      corrected: true,
    };
    expect(parsePlace(formatPlace(place))).toEqual(place);
    expect(parsePlace(formatPlace(START))).toEqual(START);
  });

  it('falls back where a word is unknown', () => {
    expect(parsePlace('?tab=nonsense&split=x&item=-4&at=a&at=b:NaN&at=:1')).toEqual(START);
  });
});

describe('the strip', () => {
  const histogram = {
    edges: [0, 0.25, 0.5, 0.75, 1],
    right: [1, 2, 3, 4],
    wrong: [8, 4, 2, 0],
    other: [1, 0, 0, 0],
  };
  const scale = scaleOf(histogram);

  it('goes from score to height and back, in both directions', () => {
    for (const reverse of [false, true])
      for (const value of [0, 0.1, 0.77, 1])
        expect(scoreAt(heightOf(value, scale, reverse), scale, reverse)).toBeCloseTo(value);
    expect(heightOf(1, scale, false)).toBe(0);
    expect(heightOf(1, scale, true)).toBe(1);
  });

  it('finds where the items of a score begin', () => {
    const all = itemsPerBin(histogram, 'all', null);
    expect(all).toEqual([10, 6, 5, 4]);
    expect(positionOf(1, histogram, all, 25, false)).toBe(0);
    expect(positionOf(0.75, histogram, all, 25, false)).toBe(4);
    expect(positionOf(0.5, histogram, all, 25, false)).toBe(9);
    expect(positionOf(0, histogram, all, 25, false)).toBe(24);
    expect(positionOf(0.75, histogram, all, 25, true)).toBe(21);
  });

  it('ends Matched and Missing at the threshold', () => {
    expect(itemsPerBin(histogram, 'matched', 0.5)).toEqual([0, 0, 3, 4]);
    expect(itemsPerBin(histogram, 'missing', 0.25)).toEqual([0, 4, 2, 0]);
  });
});

describe('an outcome at a threshold', () => {
  it('is its own at or over it, and below under it', () => {
    const item = { score: 0.5, over: 'missing', outcome: 'missing' } as const;
    expect(outcomeAt(item, 0.5)).toBe('missing');
    expect(outcomeAt(item, 0.50001)).toBe('below');
    expect(outcomeAt({ score: null, over: 'extra', outcome: 'extra' }, 0.9)).toBe('extra');
  });
});

describe('a score in words', () => {
  it('never rounds to a bound it has not reached', () => {
    expect(score(0.9999)).toBe('0.99990');
    expect(score(0.9999999)).toBe('0.99999');
    expect(score(0.0001)).toBe('1.0e-4');
    expect(score(1)).toBe('1.000');
    expect(score(0)).toBe('0.000');
    expect(score(null)).toBe('–');
  });
});

describe('the latest call', () => {
  it('runs one at a time and always the last', async () => {
    const seen: number[] = [];
    let release: () => void = () => {};
    const call = latest(async (value: number) => {
      seen.push(value);
      await new Promise<void>((done) => (release = done));
    });
    for (const value of [1, 2, 3, 4]) call(value);
    expect(seen).toEqual([1]);
    release();
    await new Promise((done) => setTimeout(done));
    expect(seen).toEqual([1, 4]);
  });
});
