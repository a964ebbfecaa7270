import { expect, test } from 'vitest';
import { propertyClause } from './filter_labels';

test('a range has open ends', () => {
  expect(propertyClause('size', '10', '', [])).toBe('where:size=10..');
  expect(propertyClause('size', '', 40, [])).toBe('where:size=..40');
  expect(propertyClause('size', '', '', [])).toBeNull();
});

test('names and values are encoded as the server decodes them', () => {
  expect(propertyClause('my column', '', '', ['a|b', 'x=1', 'v1..2'])).toBe(
    'where:my%20column=a%7Cb|x%3D1|v1%2E%2E2',
  );
});
