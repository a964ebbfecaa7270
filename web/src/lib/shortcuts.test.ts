import { describe, expect, test } from 'vitest';
import { actionFor, HELP_GROUPS, SHORTCUTS, type Context } from './shortcuts';

const CONTEXTS: Record<Context, readonly string[]> = {
  gallery: ['pages', 'page', 'walls', 'gallery', 'review'],
  images: ['pages', 'page', 'walls'],
  findings: ['pages', 'page', 'rows', 'findings'],
  rows: ['pages', 'page', 'rows'],
  analysis: ['pages', 'page'],
  versions: ['pages'],
  viewer: ['viewer', 'review'],
};

describe('shortcuts', () => {
  test.each(Object.entries(CONTEXTS))('no key has two meanings in the %s', (_, scopes) => {
    const keys = SHORTCUTS.filter(({ scope }) => scopes.includes(scope)).flatMap((shortcut) =>
      Object.keys(shortcut.keys),
    );
    expect(keys).toEqual([...new Set(keys)]);
  });

  test('the same key may mean another thing in the viewer', () => {
    expect(actionFor('Enter', 'gallery', true)).toBe('open');
    expect(actionFor('Enter', 'viewer', true)).toBe('viewer.close');
    expect(actionFor('Enter', 'analysis', true)).toBeUndefined();
  });

  test('keys of review do nothing for readers', () => {
    expect(actionFor('w', 'gallery', true)).toBe('review.wrong');
    expect(actionFor('w', 'gallery', false)).toBeUndefined();
  });

  test('nothing is decided or moved among whole images', () => {
    for (const key of ['w', 'e', 'q', 'n', 'z', 'x', 'Enter', 'ArrowLeft'])
      expect(actionFor(key, 'images', true)).toBeUndefined();
    expect(actionFor('b', 'images', true)).toBe('images');
  });

  test('names of object members are no keys', () => {
    expect(actionFor('toString', 'gallery', true)).toBeUndefined();
  });

  test('every shortcut has a line in the help', () => {
    for (const { help, labels } of SHORTCUTS) expect([help, labels.length]).not.toContain('');
    const scopes = HELP_GROUPS.flatMap(([, of]) => of);
    for (const { scope } of SHORTCUTS) expect(scopes.filter((of) => of === scope)).toHaveLength(1);
  });

  test('no line of a group stands there twice', () => {
    for (const [, of] of HELP_GROUPS) {
      const lines = SHORTCUTS.filter(({ scope }) => of.includes(scope)).map(({ help }) => help);
      expect(lines).toEqual([...new Set(lines)]);
    }
  });
});
