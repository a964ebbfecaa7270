import { describe, expect, test } from 'vitest';
import type { ImageDocument, PageItem } from '../lib/api';
import { countOutcome, hiddenAtFirst, imageObjects, isListed, shownObjects } from './image_objects';

const box = [1, 2, 3, 4];
const image = {
  predictions: [
    { row: 7, concept: 0, outcome: 'matched', score: 0.9, box },
    { row: 8, concept: 1, outcome: 'below', score: 0.1, box },
  ],
  annotations: [
    { row: 3, concept: 0, outcome: 'matched', box, outline: [[0, 0, 1, 1]] },
    { row: 4, concept: 1, outcome: 'negative', box: null, outline: [] },
  ],
} as unknown as ImageDocument;
const prediction = { row: 7, outcome: 'matched' } as PageItem;
const annotation = { row: 3, outcome: 'extra' } as PageItem;

describe('objects of an image', () => {
  test('the item is a prediction, or for a false negative an annotation', () => {
    const items = (item: PageItem) =>
      imageObjects(image, item).flatMap((object) => (object.isItem ? object.key : []));
    expect(items(prediction)).toEqual(['p7']);
    expect(items(annotation)).toEqual(['a3']);
  });

  test('a match is counted once', () => {
    const objects = imageObjects(image, prediction);
    expect(countOutcome(objects, 'matched')).toBe(1);
    expect(objects.filter(isListed).map((object) => object.key)).toEqual(['p7', 'p8', 'a4']);
  });

  test('hidden outcomes, other concepts and absent tags are not shown, the item always is', () => {
    const objects = imageObjects(image, prediction);
    const keys = (hidden: Parameters<typeof shownObjects>[1], concept: number | null) =>
      shownObjects(objects, hidden, concept).map((object) => object.key);
    expect(keys(hiddenAtFirst('detection'), null)).toEqual(['p7', 'a3']);
    expect(keys(hiddenAtFirst('tagging'), null)).toEqual(['p7', 'p8', 'a3']);
    expect(keys(new Set(['matched']), 1)).toEqual(['p7', 'p8']);
  });
});
