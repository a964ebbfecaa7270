import { expect, test } from 'vitest';
import { cardPlace } from './steps';

const view = { width: 1000, height: 600 };
const card = { width: 300, height: 150 };

test('the card is below what it points at, else above, else beside', () => {
  const tabs = { left: 200, top: 0, right: 700, bottom: 40 };
  expect(cardPlace(tabs, card, view)).toEqual({ left: 200, top: 52 });
  const footer = { left: 900, top: 560, right: 1000, bottom: 600 };
  expect(cardPlace(footer, card, view)).toEqual({ left: 688, top: 398 });
  const strip = { left: 880, top: 40, right: 1000, bottom: 590 };
  expect(cardPlace(strip, card, view)).toEqual({ left: 568, top: 240 });
});

test('it lies inside the window, over what fills it', () => {
  const wall = { left: 0, top: 0, right: 390, bottom: 844 };
  const place = cardPlace(wall, card, { width: 390, height: 844 });
  expect(place.left).toBeGreaterThanOrEqual(12);
  expect(place.left + card.width).toBeLessThanOrEqual(390 - 12);
  expect(place.top + card.height).toBeLessThanOrEqual(844 - 12);
});
