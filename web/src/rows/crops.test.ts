import { expect, test } from 'vitest';
import type { PageItem } from '../lib/api';
import { step, varied } from './crops';

const item = (position: number, image: number) => ({ position, image }) as PageItem;

test('rows are walked without leaving the list', () => {
  expect([step(0, -1, 3), step(0, 1, 3), step(2, 1, 3)]).toEqual([0, 1, 2]);
});

test('crops are of different images as far as there are any, in the order of the list', () => {
  const items = [item(0, 7), item(1, 7), item(2, 8), item(3, 7), item(4, 9)];
  expect(varied(items, 3).map(({ position }) => position)).toEqual([0, 2, 4]);
  expect(varied(items, 4).map(({ position }) => position)).toEqual([0, 1, 2, 4]);
  expect(varied(items, 9)).toEqual(items);
});
