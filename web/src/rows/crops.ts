/** The items of a row: which list they are of, and which of them are shown. */
import type * as api from '../lib/api';

/** Items shown of a row, and of the one in focus. */
export const CROPS = 8;
export const CROPS_OPEN = 14;

/** A list of items of one version, at its own thresholds where `at` is empty. */
export interface ItemList extends NonNullable<api.FindingDocument['items']> {
  version: string;
  /** The names of that version's concepts. */
  concepts: readonly string[];
  at: ReadonlyMap<number, number>;
}

/** So many of the items in their order, if possible of different images. */
export function varied(items: readonly api.PageItem[], limit: number): api.PageItem[] {
  const first = new Map([...items].reverse().map((item) => [item.image, item]));
  const isFirst = (item: api.PageItem): boolean => first.get(item.image) === item;
  return [...items.filter(isFirst), ...items.filter((item) => !isFirst(item))]
    .slice(0, limit)
    .sort((one, other) => one.position - other.position);
}

/** The place reached by a step from one of `length` places, without leaving them. */
export const step = (place: number, by: number, length: number): number =>
  Math.max(0, Math.min(length - 1, place + by));
