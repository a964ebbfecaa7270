/** The server's addresses, typed by its OpenAPI schema. */
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
export type Outcome = PageItem['outcome'];
export type Tab = PageDocument['tab'];
export type Split = ImageDocument['split'];
export type Box = [number, number, number, number];

export class Refused extends Error {}

async function get<T>(path: string, query: [string, string][] = [], signal?: AbortSignal): Promise<T> {
  const search = new URLSearchParams(query).toString();
  const response = await fetch(search ? `${path}?${search}` : path, { signal: signal ?? null });
  if (response.ok) return (await response.json()) as T;
  const body: unknown = await response.json().catch(() => null);
  const detail = body && typeof body === 'object' && 'detail' in body ? body.detail : null;
  throw new Refused(typeof detail === 'string' ? detail : `The server answered ${response.status}.`);
}

export interface Which {
  view: string;
  version: string;
}

export interface Query extends Which {
  split: Split;
  concept: number | null;
  at: ReadonlyMap<number, number>;
  tab: Tab;
  reverse: boolean;
}

const root = ({ view, version }: Which) => `api/views/${encodeURIComponent(view)}/versions/${encodeURIComponent(version)}`;
const thresholds = (at: ReadonlyMap<number, number>): [string, string][] => [...at].map(([concept, value]) => ['at', `${concept}:${value}`]);
const chosen = (concept: number | null): [string, string][] => (concept === null ? [] : [['concept', String(concept)]]);

export const readWorkspace = () => get<WorkspaceDocument>('api/workspace');
export const readVersion = (which: Which) => get<VersionDocument>(root(which));
export const readFigures = (which: Which, split: Split, at: ReadonlyMap<number, number>) =>
  get<FiguresDocument>(`${root(which)}/figures`, [['split', split], ...thresholds(at)]);
export const readHistogram = (which: Which, split: Split, concept: number | null) =>
  get<HistogramDocument>(`${root(which)}/histogram`, [['split', split], ...chosen(concept)]);
export const readImage = (which: Which, image: number, at: ReadonlyMap<number, number>) =>
  get<ImageDocument>(`${root(which)}/images/${image}`, thresholds(at));
export const readPage = (query: Query, offset: number, limit: number, signal: AbortSignal) =>
  get<PageDocument>(`${root(query)}/page`, [
    ['tab', query.tab], ['split', query.split], ['offset', String(offset)], ['limit', String(limit)],
    ['reverse', String(query.reverse)], ...chosen(query.concept), ...thresholds(query.at),
  ], signal);

/** The address of an item's crop, or of its whole picture, at a size that fits `pixels` of the screen. */
export function pictureAddress(picture: string, frame: PageItem['frame'], pixels: number): string {
  const size = [192, 384, 768, 1536, 3072].find((size) => size >= pixels) ?? 4096;
  return `${picture}?size=${size}${frame ? `&frame=${frame.join(',')}` : ''}`;
}
