import { describe, expect, test } from 'vitest';
import { emptyMessage, type ListState } from './empty_message';

const FULL: ListState = {
  workspace: 'a.pellucid',
  hasViews: true,
  view: 'panels',
  version: 'v1',
  hasVersion: true,
  isReady: true,
  total: 5,
  all: 5,
  isQueue: false,
  isExported: false,
  isFiltered: false,
  hidesReviewed: false,
  coverage: { images: 3, covered: 3 },
  tab: 'missing',
};
const EMPTY = { ...FULL, total: 0, all: 0 };

describe('why a list is empty', () => {
  test('nothing is said of a list with items, or while it loads', () => {
    expect(emptyMessage(FULL)).toBeNull();
    expect(emptyMessage({ ...EMPTY, isReady: false })).toBeNull();
  });

  test.each([
    [{ hasViews: false }, 'no view', 'pellucid add a.pellucid VIEW'],
    [{ hasVersion: false }, 'no version', 'pellucid predictions a.pellucid panels VERSION'],
    [{ coverage: { images: 3, covered: 0 } }, 'not run on the 3 images', 'panels v1 SOURCE'],
    [{ isQueue: true }, 'Nothing is free in the queue', ''],
    [{ isFiltered: true }, 'No item matches the filters', ''],
    [{ all: 9, isExported: true }, 'not in the exported page', ''],
    [{ all: 9, hidesReviewed: true }, 'All 9 items of this list are reviewed', ''],
    [{ all: 9 }, 'No such item', ''],
    [{}, 'No missing annotation', ''],
  ])('%o', (change, text, command) => {
    const message = emptyMessage({ ...EMPTY, ...change });
    expect(message?.text).toContain(text);
    expect(message?.command).toContain(command);
  });

  test('a workspace without a chosen view is still loading', () => {
    expect(emptyMessage({ ...EMPTY, hasVersion: false, view: '' })).toBeNull();
  });
});
