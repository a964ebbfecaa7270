/** Where the reader is, as the address says it: reload and share give the same place. */
import type { Split, Tab } from './api';

export const TABS: readonly Tab[] = ['all', 'matched', 'missing', 'extra'];
export const SPLITS: readonly Split[] = ['training', 'validation', 'test'];
export const SORTS = ['errors', 'listed', 'name', 'precision', 'recall', 'annotations'] as const;
export type Sort = (typeof SORTS)[number];

export interface Place {
  view: string;
  version: string;
  tab: Tab;
  split: Split;
  /** A concept's name; null for all. */
  concept: string | null;
  /** The reader's own thresholds, by concept. */
  at: ReadonlyMap<string, number>;
  reverse: boolean;
  /** The item under the cursor. */
  item: number;
  /** Whether it is open in the viewer. */
  open: boolean;
  sort: Sort;
}

export const START: Place = {
  view: '', version: '', tab: 'all', split: 'validation', concept: null, at: new Map(), reverse: false, item: 0, open: false, sort: 'errors',
};

const oneOf = <T extends string>(known: readonly T[], word: string | null, otherwise: T): T =>
  known.includes(word as T) ? (word as T) : otherwise;

export function parsePlace(search: string): Place {
  const query = new URLSearchParams(search);
  const at = new Map<string, number>();
  for (const word of query.getAll('at')) {
    const cut = word.lastIndexOf(':');
    const value = Number(word.slice(cut + 1));
    if (cut > 0 && word.length > cut + 1 && Number.isFinite(value)) at.set(word.slice(0, cut), value);
  }
  const item = Number(query.get('item') ?? 0);
  return {
    view: query.get('view') ?? '',
    version: query.get('version') ?? '',
    tab: oneOf(TABS, query.get('tab'), START.tab),
    split: oneOf(SPLITS, query.get('split'), START.split),
    concept: query.get('concept'),
    at,
    reverse: query.get('reverse') === '1',
    item: Number.isSafeInteger(item) && item >= 0 ? item : 0,
    open: query.get('open') === '1',
    sort: oneOf(SORTS, query.get('sort'), START.sort),
  };
}

export function formatPlace(place: Place): string {
  const query = new URLSearchParams();
  query.set('view', place.view);
  query.set('version', place.version);
  if (place.tab !== START.tab) query.set('tab', place.tab);
  if (place.split !== START.split) query.set('split', place.split);
  if (place.concept !== null) query.set('concept', place.concept);
  for (const [concept, value] of place.at) query.append('at', `${concept}:${value}`);
  if (place.reverse) query.set('reverse', '1');
  if (place.item > 0) query.set('item', String(place.item));
  if (place.open) query.set('open', '1');
  if (place.sort !== START.sort) query.set('sort', place.sort);
  return `?${query.toString()}`;
}
