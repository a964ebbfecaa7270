import { expect, test } from 'vitest';
import { extentOf, isInside, isWithin, placeSquares, WHOLE, type Spot } from './map_layout';

const randomSpots = (number: number, size: number): Spot[] => {
  let seed = 7;
  const next = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  return Array.from({ length: number }, () => ({ x: next() * size, y: next() * size }));
};

test('squares do not overlap, and none is left out that had room', () => {
  const spots = randomSpots(400, 500);
  const placed = placeSquares(spots, 44);
  const overlaps = (one: Spot, other: Spot): boolean =>
    Math.abs(one.x - other.x) < 44 && Math.abs(one.y - other.y) < 44;
  expect(placed[0]).toBe(0);
  spots.forEach((spot, index) => {
    const before = placed.filter((other) => other < index);
    const isFree = !before.some((other) => overlaps(spot, spots[other]!));
    expect(placed.includes(index)).toBe(isFree);
  });
});

test('a line holds what is inside it, whichever way it was drawn', () => {
  const ring = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 10 },
    { x: 6, y: 10 },
    { x: 6, y: 4 },
    { x: 4, y: 4 },
    { x: 4, y: 10 },
    { x: 0, y: 10 },
  ];
  for (const line of [ring, [...ring].reverse()]) {
    expect(isInside(line, { x: 2, y: 8 })).toBe(true);
    expect(isInside(line, { x: 5, y: 8 })).toBe(false); // in the bay
    expect(isInside(line, { x: 5, y: 2 })).toBe(true);
    expect(isInside(line, { x: 12, y: 5 })).toBe(false);
    expect(isInside(line, { x: -1, y: 5 })).toBe(false);
  }
});

test('zooming in keeps all that was selected', () => {
  const spots = randomSpots(20, 1);
  expect(spots.every((spot) => isWithin(extentOf(spots), spot))).toBe(true);
  expect(isWithin(extentOf([{ x: 0.5, y: 0.5 }]), { x: 0.5, y: 0.5 })).toBe(true);
  expect(isWithin(WHOLE, { x: 1, y: 0 })).toBe(true);
});
