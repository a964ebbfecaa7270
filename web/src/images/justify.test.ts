import { expect, test } from 'vitest';
import { besideRow, GAP, justify, ratioOf } from './justify';

const shapes = [
  { width: 640, height: 480 },
  { width: 480, height: 640 },
  { width: 2000, height: 100 },
  { width: 0, height: 0 },
  { width: 640, height: 427 },
];
const items = Array.from({ length: 23 }, (_, place) => shapes[place % shapes.length]!);

test('every row but the last fills the width, and all pictures are placed in their order', () => {
  const rows = justify(items, 1000, 200);
  expect(rows.flat().map((placed) => placed.item)).toEqual(items);
  for (const row of rows.slice(0, -1)) {
    const used = row.reduce((sum, placed) => sum + placed.width, 0) + GAP * (row.length - 1);
    expect(used).toBeCloseTo(1000, 3);
    expect(row[0]!.height).toBeLessThanOrEqual(200.001);
  }
  expect(rows.at(-1)![0]!.height).toBeLessThanOrEqual(200);
});

test('pictures keep their shape, within bounds', () => {
  expect(ratioOf({ width: 640, height: 480 })).toBeCloseTo(4 / 3);
  expect(ratioOf({ width: 5000, height: 10 })).toBe(3);
  expect(ratioOf({ width: 0, height: 0 })).toBeCloseTo(4 / 3);
});

test('nothing gives no rows', () => expect(justify([], 1000, 200)).toEqual([]));

test('up and down lead to what lies nearest in the row beside', () => {
  const row = (...widths: number[]) => widths.map((width) => ({ item: width, width, height: 10 }));
  const rows = [row(100, 100, 100), row(200, 100), row(50, 50, 50, 150)];
  expect([0, 1, 2].map((index) => besideRow(rows, index, 1))).toEqual([3, 3, 4]);
  expect([3, 4].map((index) => besideRow(rows, index, 1))).toEqual([6, 8]);
  expect([5, 6, 7, 8].map((index) => besideRow(rows, index, -1))).toEqual([3, 3, 3, 4]);
  expect(besideRow(rows, 1, -1)).toBe(1);
  expect(besideRow(rows, 7, 1)).toBe(7);
});
