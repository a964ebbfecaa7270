import { describe, expect, it } from 'vitest';
import { formatPlace, parsePlace, START, type Place } from './route';

describe('a place in the address', () => {
  it('comes back as it was', () => {
    const place: Place = {
      page: 'compare',
      only: ['cause:background', 'where:box blur=..2'],
      against: 'v/2',
      candidate: 'v3',
      ticked: ['v1', 'v3'],
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
