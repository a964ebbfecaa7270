/** Where the reader is, as the address says it: reload and share give the same place. */
import { FEWEST_ERRORS } from '../compare/point';
import type { Split, Tab } from '../lib/api';

export const TABS: readonly Tab[] = ['all', 'matched', 'missing', 'extra'];
export const SPLITS: readonly Split[] = ['training', 'validation', 'test'];
export const SORTS = ['errors', 'listed', 'name', 'precision', 'recall', 'annotations'] as const;
export type Sort = (typeof SORTS)[number];
export const ORDERS = ['score', 'margin', 'size', 'mistakes', 'similar'] as const;
export type Order = (typeof ORDERS)[number];
export const IMAGE_ORDERS = ['errors', 'fp', 'fn', 'score'] as const;
export type ImageOrder = (typeof IMAGE_ORDERS)[number];
export const REVIEWS = ['new', 'all', 'reviewed', 'unsure'] as const;
export type Review = (typeof REVIEWS)[number];

/** What a tab shows unless the reader says: errors leave the list once they are reviewed, predictions do not. */
export const usualReview = (tab: Tab): Review =>
  tab === 'missing' || tab === 'extra' ? 'new' : 'all';

export const PAGES = [
  'findings',
  'gallery',
  'figures',
  'slices',
  'similar',
  'compare',
  'versions',
] as const;
export type Page = (typeof PAGES)[number];
export const PAGE_NAME: Record<Page, string> = {
  findings: 'Findings',
  gallery: 'Gallery',
  figures: 'Figures',
  slices: 'Slices',
  similar: 'Similar',
  compare: 'Compare',
  versions: 'Versions',
};

/** The key that opens each page. */
export const PAGE_KEY: Record<Page, string> = {
  findings: 'P',
  gallery: 'G',
  figures: 'F',
  slices: 'S',
  similar: 'A',
  compare: 'C',
  versions: 'V',
};

export interface Place {
  page: Page;
  view: string;
  version: string;
  tab: Tab;
  split: Split;
  /** A concept's name; null for all. */
  concept: string | null;
  /** The reader's own thresholds, by concept. */
  at: ReadonlyMap<string, number>;
  reverse: boolean;
  /** Whole images instead of boxes. */
  whole: boolean;
  imageOrder: ImageOrder;
  /** The item under the cursor. */
  item: number;
  /** Which item that is, where the list may have changed since: `p12` of the predictions, `a12` of the annotations; '' where it is not said. */
  row: string;
  /** Whether it is open in the viewer. */
  open: boolean;
  sort: Sort;
  order: Order;
  /** Null: what is usual for the tab. */
  review: Review | null;
  /** With people's corrections; else as trained. */
  corrected: boolean;
  /** What narrows the list down, such as `cause:background`. */
  only: readonly string[];
  /** The version that this one is compared with. */
  against: string;
  /** The versions ticked in their table. */
  ticked: readonly string[];
  /** The later of two compared versions, where it is not the version itself. */
  candidate: string;
  /** The thresholds at which two versions are compared. */
  point: string;
  /** The IoU at which it is matched; null: its own. */
  iou: number | null;
}

export const START: Place = {
  page: 'gallery',
  view: '',
  version: '',
  tab: 'all',
  split: 'validation',
  concept: null,
  at: new Map(),
  reverse: false,
  whole: false,
  imageOrder: 'errors',
  item: 0,
  row: '',
  open: false,
  sort: 'errors',
  order: 'score',
  review: null,
  corrected: false,
  only: [],
  against: '',
  ticked: [],
  candidate: '',
  point: FEWEST_ERRORS,
  iou: null,
};

const oneOf = <T extends string>(known: readonly T[], word: string | null, otherwise: T): T =>
  known.includes(word as T) ? (word as T) : otherwise;

const parseIou = (word: string | null): number | null => {
  const iou = Number(word);
  return word && iou > 0 && iou <= 1 ? iou : null;
};

export function parsePlace(search: string): Place {
  const query = new URLSearchParams(search);
  const at = new Map<string, number>();
  for (const word of query.getAll('at')) {
    const cut = word.lastIndexOf(':');
    const value = Number(word.slice(cut + 1));
    if (cut > 0 && word.length > cut + 1 && Number.isFinite(value))
      at.set(word.slice(0, cut), value);
  }
  const word = (name: string): string => query.get(name) ?? '';
  const item = Number(word('item'));
  return {
    page: oneOf(PAGES, query.get('page'), START.page),
    view: word('view'),
    version: word('version'),
    tab: oneOf(TABS, query.get('tab'), START.tab),
    split: oneOf(SPLITS, query.get('split'), START.split),
    concept: query.get('concept'),
    at,
    reverse: query.get('reverse') === '1',
    whole: query.get('whole') === '1',
    imageOrder: oneOf(IMAGE_ORDERS, query.get('imageOrder'), START.imageOrder),
    item: Number.isSafeInteger(item) && item >= 0 ? item : 0,
    row: /^[ap]\d+$/.test(word('row')) ? word('row') : '',
    open: query.get('open') === '1',
    sort: oneOf(SORTS, query.get('sort'), START.sort),
    order: oneOf(ORDERS, query.get('order'), START.order),
    review: REVIEWS.find((one) => one === query.get('review')) ?? null,
    corrected: query.get('corrected') === '1',
    only: query.getAll('only'),
    against: word('against'),
    ticked: query.getAll('ticked').slice(0, 2),
    candidate: word('candidate'),
    point: query.get('point') ?? START.point,
    iou: parseIou(query.get('iou')),
  };
}

/** Fields that are left out of the address where they are as at the start. */
const PLAIN = ['tab', 'split', 'sort', 'order', 'imageOrder', 'point'] as const;
/** Left out where they are empty. */
const WORDS = ['row', 'against', 'candidate'] as const;
const LISTS = ['ticked', 'only'] as const;
const FLAGS = ['reverse', 'whole', 'open', 'corrected'] as const;

export function formatPlace(place: Place): string {
  const query = new URLSearchParams();
  if (place.page !== START.page) query.set('page', place.page);
  query.set('view', place.view);
  query.set('version', place.version);
  for (const name of PLAIN) if (place[name] !== START[name]) query.set(name, place[name]);
  if (place.concept !== null) query.set('concept', place.concept);
  for (const [concept, value] of place.at) query.append('at', `${concept}:${value}`);
  if (place.item > 0) query.set('item', String(place.item));
  for (const name of FLAGS) if (place[name]) query.set(name, '1');
  if (place.review !== null) query.set('review', place.review);
  for (const name of LISTS) for (const word of place[name]) query.append(name, word);
  for (const name of WORDS) if (place[name]) query.set(name, place[name]);
  if (place.iou !== null) query.set('iou', String(place.iou));
  return `?${query.toString()}`;
}
