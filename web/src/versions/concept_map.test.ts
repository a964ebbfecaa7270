import { expect, it } from 'vitest';
import { likelyConcept } from './concept_map';

it('offers the concept that is spelled otherwise', () => {
  const annotated = ['TV', 'dining table', 'cat', 'Straße'];
  expect(likelyConcept('tv', annotated)).toBe('TV');
  expect(likelyConcept('Dining_Tables', annotated)).toBe('dining table');
  expect(likelyConcept('straße', annotated)).toBe('Straße');
  expect(likelyConcept('dog', annotated)).toBe('');
  expect(likelyConcept('Cat', ['cat', 'cats'])).toBe('');
});
