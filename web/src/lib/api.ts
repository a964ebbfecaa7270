/** The server's addresses, typed by its OpenAPI schema. */
import { FEWEST_ERRORS } from '../compare/point';
import type { ImageOrder, Order, Review } from '../state/route';
import { exportedPage, exportedResponse, exportedImage, keyOf } from './exported';
import type { components } from './schema';

type Schemas = components['schemas'];
export type WorkspaceDocument = Schemas['WorkspaceDocument'];
export type ViewDocument = Schemas['ViewDocument'];
export type VersionDocument = Schemas['VersionDocument'];
export type FiguresDocument = Schemas['FiguresDocument'];
export type ConceptDocument = Schemas['ConceptDocument'];
export type HistogramDocument = Schemas['HistogramDocument'];
export type PageDocument = Schemas['PageDocument'];
export type PageItem = Schemas['PageItem'];
export type ImageDocument = Schemas['ImageDocument'];
export type RankedImage = Schemas['RankedImageDocument'];
export type ImagesDocument = Schemas['ImagesDocument'];
export type Outcome = PageItem['outcome'];
export type Tab = PageDocument['tab'];
export type Split = ImageDocument['split'];
export type Box = [number, number, number, number];
export type DecisionRequest = Schemas['DecisionRequest'];
export type ReviewOutcomeDocument = Schemas['ReviewOutcomeDocument'];
export type HistoryRow = Schemas['HistoryRow'];
export type HistoryDocument = Schemas['HistoryDocument'];
export type ProgressDocument = Schemas['ProgressDocument'];
export type EffectDocument = Schemas['EffectDocument'];
export type QueueDocument = Schemas['QueueDocument'];
export type ItemReference = Schemas['ItemReference'];
export type CountDocument = Schemas['CountDocument'];
export type FilteredDocument = Schemas['FilteredDocument'];
export type CurvesDocument = Schemas['CurvesDocument'];
export type SplitFigures = Schemas['SplitFigures'];
export type PropertyRange = Schemas['PropertyRange'];
export type PropertyRanges = Schemas['PropertyRanges'];
export type ObjectivesDocument = Schemas['ObjectivesDocument'];
export type ThresholdFigures = Schemas['ThresholdFigures'];
export type MovesDocument = Schemas['MovesDocument'];
export type CausesDocument = Schemas['CausesDocument'];
export type ConfusionDocument = Schemas['ConfusionDocument'];
export type SlicesDocument = Schemas['SlicesDocument'];
export type SliceDocument = Schemas['SliceDocument'];
export type DuplicatesDocument = Schemas['DuplicatesDocument'];
export type PairDocument = Schemas['PairDocument'];
export type DuplicateDecision = Schemas['DuplicateDecision'];
export type MapDocument = Schemas['MapDocument'];
export type ComparisonDocument = Schemas['ComparisonDocument'];
export type SliceChangesDocument = Schemas['SliceChangesDocument'];
export type FindingsDocument = Schemas['FindingsDocument'];
export type FindingDocument = Schemas['FindingDocument'];
export type HeadlineDocument = Schemas['HeadlineDocument'];
export type ViewOverview = Schemas['ViewOverview'];
export type Cause = NonNullable<PageItem['cause']>;
export type Verdict = DecisionRequest['verdict'];

/** A request that the server refused. */
export class ApiError extends Error {
  constructor(
    words: string,
    readonly status: number,
  ) {
    super(words);
  }
}

async function get<T>(
  path: string,
  query: [string, string][] = [],
  signal?: AbortSignal,
): Promise<T> {
  if (exportedPage) {
    const answer = exportedResponse(path, query);
    if (answer === undefined)
      throw new ApiError(
        'This is not in the exported page: open the workspace with Pellucid to see it.',
        404,
      );
    return answer as T;
  }
  const search = new URLSearchParams(query).toString();
  return parseResponse(
    await fetch(search ? `${path}?${search}` : path, { signal: signal ?? null }),
  );
}

async function post<T>(path: string, body: object): Promise<T> {
  if (exportedPage)
    throw new ApiError(
      'An exported page keeps no decisions: open the workspace with Pellucid.',
      403,
    );
  return parseResponse(
    await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
}

async function parseResponse<T>(response: Response): Promise<T> {
  if (response.status === 204) return null as T;
  if (response.ok) return (await response.json()) as T;
  const body: unknown = await response.json().catch(() => null);
  const detail = body && typeof body === 'object' && 'detail' in body ? body.detail : null;
  throw new ApiError(
    typeof detail === 'string' ? detail : `The server answered ${response.status}.`,
    response.status,
  );
}

export interface Which {
  view: string;
  version: string;
  /** Null: as the version was matched. */
  iou: number | null;
}

export interface Query extends Which {
  split: Split;
  concept: number | null;
  at: ReadonlyMap<number, number>;
  tab: Tab;
  reverse: boolean;
  order: Order;
  review: Review;
  /** In a list of new items: the decision after which items keep their places; null: none yet. */
  since: number | null;
  corrected: boolean;
  only: readonly string[];
  /** Rises with every decision: answers to older ones are not of the list as it is now. */
  revision: number;
}

const root = ({ view, version }: Pick<Which, 'view' | 'version'>) =>
  `api/v1/views/${encodeURIComponent(view)}/versions/${encodeURIComponent(version)}`;
const thresholds = (at: ReadonlyMap<number, number>): [string, string][] =>
  [...at].map(([concept, value]) => ['at', `${concept}:${value}`]);
const conceptParam = (concept: number | null): [string, string][] =>
  concept === null ? [] : [['concept', String(concept)]];

/** The version that a list is compared with, if it is. */
export function comparedWith(only: readonly string[]): string | null {
  const clause = only.find((one) => one.startsWith('versus:'));
  return clause ? clause.slice('versus:'.length, clause.lastIndexOf('=')) : null;
}
const overlayParam = (only: readonly string[]): [string, string][] =>
  comparedWith(only) === null ? [] : [['versus', comparedWith(only)!]];
const filterParams = (only: readonly string[]): [string, string][] =>
  only.map((clause) => ['only', clause]);

export const readWorkspace = () => get<WorkspaceDocument>('api/v1/workspace');
export const readVersion = (which: Pick<Which, 'view' | 'version'>) =>
  get<VersionDocument>(root(which));
/** With corrections or as trained, and at which IoU. */
const versionParams = ({ iou }: Which, corrected: boolean): [string, string][] => [
  ...(corrected ? [['corrected', 'true'] as [string, string]] : []),
  ...(iou === null ? [] : [['iou', String(iou)] as [string, string]]),
];
export const readFigures = (
  which: Which,
  split: Split,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
) =>
  get<FiguresDocument>(`${root(which)}/figures`, [
    ['split', split],
    ...thresholds(at),
    ...versionParams(which, corrected),
  ]);
export const readHeadline = (
  which: Which,
  split: Split,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
) =>
  get<HeadlineDocument>(`${root(which)}/headline`, [
    ['split', split],
    ...thresholds(at),
    ...versionParams(which, corrected),
  ]);
export const readFindings = (
  which: Which,
  split: Split,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
  baseline: string | null,
) =>
  get<FindingsDocument>(`${root(which)}/findings`, [
    ['split', split],
    ...thresholds(at),
    ...versionParams(which, corrected),
    ...(baseline === null ? [] : [['baseline', baseline] as [string, string]]),
  ]);
export const markFinding = (which: Which, key: string, known: boolean, who: string) =>
  post<null>(`${root(which)}/findings/known`, { key, known, who });
export const readHistogram = (
  which: Which,
  split: Split,
  concept: number | null,
  corrected: boolean,
) =>
  get<HistogramDocument>(`${root(which)}/histogram`, [
    ['split', split],
    ...conceptParam(concept),
    ...versionParams(which, corrected),
  ]);
export const readImage = (
  which: Which,
  image: number,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
  only: readonly string[] = [],
) =>
  get<ImageDocument>(`${root(which)}/images/${image}`, [
    ...thresholds(at),
    ...versionParams(which, corrected),
    ...overlayParam(only),
  ]);
/** Whole images; with filters, those that have such items. */
export const readImages = (
  query: Query,
  order: ImageOrder,
  offset: number,
  limit: number,
  signal: AbortSignal,
) =>
  get<ImagesDocument>(
    `${root(query)}/images`,
    [
      ['split', query.split],
      ['order', order],
      ['offset', String(offset)],
      ['limit', String(limit)],
      ...conceptParam(query.concept),
      ...thresholds(query.at),
      ...versionParams(query, query.corrected),
      ...query.only.map((clause): [string, string] => ['only', clause]),
    ],
    signal,
  );
/** How many items of a list are at hand: of an exported page's, those that were exported. */
export const availableCount = (query: Query): number =>
  exportedPage
    ? (exportedPage.lengths[
        keyOf(`${root(query)}/page`, [
          ['tab', query.tab],
          ['split', query.split],
          ['offset', '0'],
          ...conceptParam(query.concept),
          ...filterParams(query.only),
        ])
      ] ?? 0)
    : Infinity;
export const readPage = (query: Query, offset: number, limit: number, signal: AbortSignal) =>
  get<PageDocument>(
    `${root(query)}/page`,
    [
      ['tab', query.tab],
      ['split', query.split],
      ['offset', String(offset)],
      ['limit', String(limit)],
      ['reverse', String(query.reverse)],
      ['order', query.order],
      ['review', query.review],
      ...(query.since === null ? [] : [['since', String(query.since)] as [string, string]]),
      ...conceptParam(query.concept),
      ...thresholds(query.at),
      ...versionParams(query, query.corrected),
      ...filterParams(query.only),
      ...overlayParam(query.only),
    ],
    signal,
  );

export const readProperties = (query: Query) =>
  get<PropertyRanges>(`${root(query)}/properties`, [
    ['tab', query.tab],
    ['split', query.split],
    ...conceptParam(query.concept),
    ...thresholds(query.at),
    ...versionParams(query, query.corrected),
  ]);
/** How many items of every tab and concept satisfy the filters. */
export const readFiltered = (query: Query) =>
  get<FilteredDocument>(`${root(query)}/filtered`, [
    ['tab', query.tab],
    ['split', query.split],
    ...conceptParam(query.concept),
    ...thresholds(query.at),
    ...versionParams(query, query.corrected),
    ...filterParams(query.only),
  ]);
export const readCount = (query: Query) =>
  get<CountDocument>(`${root(query)}/count`, [
    ['tab', query.tab],
    ['split', query.split],
    ...conceptParam(query.concept),
    ...thresholds(query.at),
    ...versionParams(query, query.corrected),
    ...filterParams(query.only),
  ]);
export const readCurves = (
  which: Which,
  concept: number | null,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
) =>
  get<CurvesDocument>(`${root(which)}/curves`, [
    ...conceptParam(concept),
    ...thresholds(at),
    ...versionParams(which, corrected),
  ]);
export const readObjectives = (
  which: Which,
  concept: number | null,
  asked: readonly string[],
  corrected: boolean,
) =>
  get<ObjectivesDocument>(`${root(which)}/objectives`, [
    ...conceptParam(concept),
    ...asked.map((one): [string, string] => ['objective', one]),
    ...versionParams(which, corrected),
  ]);
export const readMoves = (
  which: Which,
  split: Split,
  concept: number,
  to: number,
  corrected: boolean,
) =>
  get<MovesDocument>(`${root(which)}/moves`, [
    ['split', split],
    ...conceptParam(concept),
    ['to', String(to)],
    ...versionParams(which, corrected),
  ]);
export const readCauses = (
  which: Which,
  split: Split,
  concept: number | null,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
) =>
  get<CausesDocument>(`${root(which)}/causes`, [
    ['split', split],
    ...conceptParam(concept),
    ...thresholds(at),
    ...versionParams(which, corrected),
  ]);
export const readConfusion = (
  which: Which,
  split: Split,
  at: ReadonlyMap<number, number>,
  corrected: boolean,
) =>
  get<ConfusionDocument>(`${root(which)}/confusion`, [
    ['split', split],
    ...thresholds(at),
    ...versionParams(which, corrected),
  ]);
export const readSlices = (which: Which, split: Split, corrected: boolean) =>
  get<SlicesDocument>(`${root(which)}/slices`, [
    ['split', split],
    ...versionParams(which, corrected),
  ]);
export const readMap = (which: Which, split: Split, corrected: boolean) =>
  get<MapDocument>(`${root(which)}/map`, [['split', split], ...versionParams(which, corrected)]);
export const readDuplicates = (which: Which, offset: number, limit: number) =>
  get<DuplicatesDocument>(`${root(which)}/duplicates`, [
    ['offset', String(offset)],
    ['limit', String(limit)],
  ]);
export const decideOnDuplicate = (view: string, body: DuplicateDecision) =>
  post<null>(`${ofView(view)}/duplicates`, body);
/** At which thresholds and on which images two versions are compared. */
export interface ComparedAt {
  split: Split;
  corrected: boolean;
  point: string;
  only: readonly string[];
}
const comparedAt = (which: Which, { split, corrected, point, only }: ComparedAt) => [
  ['split', split] as [string, string],
  ...(point === FEWEST_ERRORS ? [] : [['point', point] as [string, string]]),
  ...filterParams(only),
  ...versionParams(which, corrected),
];
export const readCompared = (which: Which, other: string, at: ComparedAt) =>
  get<ComparisonDocument>(
    `${root(which)}/compare/${encodeURIComponent(other)}`,
    comparedAt(which, at),
  );
export const readSliceChanges = (which: Which, other: string, at: Omit<ComparedAt, 'only'>) =>
  get<SliceChangesDocument>(
    `${root(which)}/compare/${encodeURIComponent(other)}/slices`,
    comparedAt(which, { ...at, only: [] }),
  );

export const readOverview = (view: string, split: Split) =>
  get<ViewOverview>(`${ofView(view)}/overview`, [['split', split]]);
export const renameView = (view: string, name: string) =>
  post<unknown>(`${ofView(view)}/rename`, { name });
export const removeView = (view: string) => post<unknown>(`${ofView(view)}/remove`, { name: view });
export const renameVersion = (view: string, version: string, name: string) =>
  post<unknown>(`${root({ view, version })}/rename`, { name });
export const mapConcepts = (
  view: string,
  version: string,
  renamed: Readonly<Record<string, string>>,
) => post<{ predictions: number }>(`${root({ view, version })}/map`, { renamed });
export const removeVersion = (view: string, version: string) =>
  post<unknown>(`${root({ view, version })}/remove`, { name: version });

const ofView = (view: string) => `api/v1/views/${encodeURIComponent(view)}`;
/** An act of a reviewer, as it is sent: again if need be. */
export interface Submission {
  path: string;
  body: object;
}
export const submit = ({ path, body }: Submission) => post<ReviewOutcomeDocument>(path, body);
export const decide = (which: Which, body: DecisionRequest): Submission => ({
  path: `${root(which)}/decisions`,
  body,
});
export const addBox = (which: Which, body: Schemas['BoxRequest']): Submission => ({
  path: `${root(which)}/boxes`,
  body,
});
export const comment = (
  which: Which,
  item: ItemReference,
  who: string,
  text: string,
  corrected: boolean,
  batch: string,
): Submission => ({ path: `${root(which)}/comments`, body: { item, who, text, corrected, batch } });
export const takeBack = (
  view: string,
  way: 'undo' | 'redo',
  who: string,
  batch: string,
): Submission => ({ path: `${ofView(view)}/${way}`, body: { who, batch } });
export const revert = (view: string, row: number, who: string, batch: string): Submission => ({
  path: `${ofView(view)}/history/${row}/revert`,
  body: { who, batch },
});
export const reset = (view: string, who: string, batch: string): Submission => ({
  path: `${ofView(view)}/reset`,
  body: { who, batch },
});
export const readHistory = (
  view: string,
  about: { image?: string; who?: string; day?: string; version?: string },
  offset: number,
  limit: number,
) =>
  get<HistoryDocument>(`${ofView(view)}/history`, [
    ...Object.entries(about).filter(([, value]) => value),
    ['offset', String(offset)],
    ['limit', String(limit)],
  ] as [string, string][]);
export const readProgress = (view: string, after: number, me: string, session: string) =>
  get<ProgressDocument>(`${ofView(view)}/progress`, [
    ['after', String(after)],
    ['me', me],
    ['session', session],
  ]);
export const readEffect = (which: Which, split: Split) =>
  get<EffectDocument>(`${root(which)}/effect`, [['split', split]]);
export const takeFromQueue = (which: Which, asked: Schemas['QueueRequest']) =>
  post<QueueDocument>(`${root(which)}/queue`, asked);
/** Said as the page goes: the browser sends it though nobody waits for the answer. */
export const endQueue = (view: string, session: string) =>
  navigator.sendBeacon(
    `${ofView(view)}/queue/end`,
    new Blob([JSON.stringify({ session })], { type: 'application/json' }),
  );

/** The address of an item's crop, or of its whole picture, at a size that fits `pixels` of the screen. */
export function pictureAddress(picture: string, frame: PageItem['frame'], pixels: number): string {
  if (exportedPage) return exportedImage(picture, frame);
  const size = [192, 384, 768, 1536, 3072].find((size) => size >= pixels) ?? 4096;
  return `${picture}?size=${size}${frame ? `&frame=${frame.join(',')}` : ''}`;
}
