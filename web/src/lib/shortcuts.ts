/** Every keyboard shortcut, once: the keys are looked up here and the help is printed from here. */
import type { Page } from '../state/route';

export type Action =
  | `move.${'left' | 'right' | 'up' | 'down' | 'pageup' | 'pagedown' | 'home' | 'end'}`
  | `tab.${1 | 2 | 3 | 4}`
  | `page.${'findings' | 'gallery' | 'figures' | 'slices' | 'similar' | 'compare' | 'versions'}`
  | `row.${'next' | 'previous' | 'cropNext' | 'cropPrevious' | 'open' | 'gallery'}`
  | `version.${'next' | 'previous' | 'tick'}`
  | `finding.${'review' | 'known' | 'wrong' | 'right' | 'undo' | 'redo'}`
  | `viewer.${'next' | 'previous' | 'close' | 'zoomIn' | 'zoomOut' | 'fit' | 'boxes' | 'concepts' | 'difference' | 'edit' | 'draw'}`
  | `review.${'mode' | 'wrong' | 'right' | 'unsure' | 'relabel' | 'undo' | 'redo' | 'queue' | 'history' | 'comment'}`
  | 'open'
  | 'select'
  | 'filter'
  | 'split'
  | 'concept.previous'
  | 'concept.next'
  | 'concept.all'
  | 'concept.find'
  | 'threshold.jump'
  | 'threshold.down'
  | 'threshold.up'
  | 'threshold.downFine'
  | 'threshold.upFine'
  | 'threshold.optimal'
  | 'reverse'
  | 'outcomes'
  | 'images'
  | 'similar'
  | 'difference'
  | 'larger'
  | 'smaller'
  | 'theme'
  | 'help'
  | 'escape';

/** Where a shortcut works: everywhere, on every page but in the viewer, on those with concepts, among rows of items, among the findings, among the versions, on walls of boxes and of whole images, on that of boxes alone, in the viewer, or wherever items are reviewed. */
export type Scope =
  | 'everywhere'
  | 'pages'
  | 'page'
  | 'rows'
  | 'findings'
  | 'versions'
  | 'walls'
  | 'gallery'
  | 'viewer'
  | 'review';
/** Where the reader is; `images`: among whole images. */
export type Context =
  'gallery' | 'images' | 'findings' | 'rows' | 'analysis' | 'versions' | 'viewer';

export interface Shortcut {
  readonly scope: Scope;
  /** The value of `KeyboardEvent.key`, and what it does. */
  readonly keys: Readonly<Record<string, Action>>;
  /** The keys as the help shows them. */
  readonly labels: readonly string[];
  readonly help: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  {
    scope: 'gallery',
    keys: {
      ArrowLeft: 'move.left',
      ArrowRight: 'move.right',
      ArrowUp: 'move.up',
      ArrowDown: 'move.down',
      h: 'move.left',
      l: 'move.right',
      k: 'move.up',
      j: 'move.down',
    },
    labels: ['←', '↑', '↓', '→', 'h j k l'],
    help: 'move; with Shift: select',
  },
  {
    scope: 'gallery',
    keys: { PageUp: 'move.pageup', PageDown: 'move.pagedown', Home: 'move.home', End: 'move.end' },
    labels: ['PgUp', 'PgDn', 'Home', 'End'],
    help: 'move by a screen, to the start, to the end',
  },
  { scope: 'gallery', keys: { Enter: 'open' }, labels: ['Enter'], help: 'open the item' },
  {
    scope: 'gallery',
    keys: { x: 'select', ' ': 'select' },
    labels: ['x', 'Space'],
    help: 'select or deselect the item',
  },
  { scope: 'walls', keys: { f: 'filter' }, labels: ['f'], help: 'filter the items' },
  {
    scope: 'walls',
    keys: { 1: 'tab.1', 2: 'tab.2', 3: 'tab.3', 4: 'tab.4' },
    labels: ['1', '2', '3', '4'],
    help: 'All, Matched (TP), Missing (FP), Extra annotation (FN)',
  },
  { scope: 'pages', keys: { s: 'split' }, labels: ['s'], help: 'next split' },
  {
    scope: 'page',
    keys: { '[': 'concept.previous', ']': 'concept.next' },
    labels: ['[', ']'],
    help: 'previous, next concept',
  },
  { scope: 'page', keys: { a: 'concept.all' }, labels: ['a'], help: 'all concepts' },
  { scope: 'page', keys: { '/': 'concept.find' }, labels: ['/'], help: 'find a concept' },
  {
    scope: 'gallery',
    keys: { t: 'threshold.jump' },
    labels: ['t'],
    help: 'fast forward to the threshold',
  },
  {
    scope: 'page',
    keys: {
      ',': 'threshold.down',
      '.': 'threshold.up',
      '<': 'threshold.downFine',
      '>': 'threshold.upFine',
    },
    labels: [',', '.'],
    help: 'lower, raise the threshold; with Shift: in small steps',
  },
  {
    scope: 'page',
    keys: { o: 'threshold.optimal' },
    labels: ['o'],
    help: 'back to the optimal threshold',
  },
  {
    scope: 'review',
    keys: { r: 'review.mode' },
    labels: ['r'],
    help: 'review: the verdicts w, e, q and n',
  },
  { scope: 'walls', keys: { b: 'images' }, labels: ['b'], help: 'boxes or whole images' },
  { scope: 'gallery', keys: { R: 'reverse' }, labels: ['R'], help: 'reverse order' },
  {
    scope: 'gallery',
    keys: { u: 'outcomes' },
    labels: ['u'],
    help: 'All: hide or show what the annotations say',
  },
  {
    scope: 'walls',
    keys: { '+': 'larger', '=': 'larger', '-': 'smaller' },
    labels: ['+', '−'],
    help: 'larger, smaller images',
  },
  {
    scope: 'gallery',
    keys: { D: 'difference' },
    labels: ['D'],
    help: 'masks: fill only where prediction and annotation differ',
  },
  { scope: 'review', keys: { i: 'similar' }, labels: ['i'], help: 'more like this' },
  {
    scope: 'review',
    keys: { w: 'review.wrong' },
    labels: ['w'],
    help: 'the annotation is wrong: add, remove or change it',
  },
  {
    scope: 'review',
    keys: { e: 'review.right' },
    labels: ['e'],
    help: 'the annotation is right: the model is wrong',
  },
  {
    scope: 'review',
    keys: { q: 'review.unsure' },
    labels: ['q'],
    help: 'unsure: the item comes back at the end',
  },
  { scope: 'review', keys: { n: 'review.relabel' }, labels: ['n'], help: 'choose another concept' },
  { scope: 'review', keys: { m: 'review.comment' }, labels: ['m'], help: 'comment' },
  {
    scope: 'review',
    keys: { z: 'review.undo', Z: 'review.redo' },
    labels: ['z', 'Z'],
    help: 'undo, redo',
  },
  {
    scope: 'review',
    keys: { Q: 'review.queue', H: 'review.history' },
    labels: ['Q', 'H'],
    help: 'the review queue; the history',
  },
  {
    scope: 'viewer',
    keys: {
      ArrowRight: 'viewer.next',
      ArrowDown: 'viewer.next',
      j: 'viewer.next',
      l: 'viewer.next',
      ArrowLeft: 'viewer.previous',
      ArrowUp: 'viewer.previous',
      k: 'viewer.previous',
      h: 'viewer.previous',
    },
    labels: ['←', '→'],
    help: 'previous, next item',
  },
  {
    scope: 'viewer',
    keys: { '+': 'viewer.zoomIn', '=': 'viewer.zoomIn', '-': 'viewer.zoomOut', 0: 'viewer.fit' },
    labels: ['+', '−', '0'],
    help: 'zoom in, zoom out, fit',
  },
  {
    scope: 'viewer',
    keys: { b: 'viewer.boxes', c: 'viewer.concepts' },
    labels: ['b', 'c'],
    help: 'show or hide boxes; all concepts',
  },
  {
    scope: 'viewer',
    keys: { D: 'viewer.difference' },
    labels: ['D'],
    help: 'fill only where the masks differ',
  },
  {
    scope: 'viewer',
    keys: { g: 'viewer.edit' },
    labels: ['g'],
    help: 'adjust the box, outline or keypoints, with the arrow keys too',
  },
  {
    scope: 'viewer',
    keys: { a: 'viewer.draw' },
    labels: ['a'],
    help: 'draw a box around an object that nobody marked',
  },
  {
    scope: 'viewer',
    keys: { Escape: 'viewer.close', Enter: 'viewer.close' },
    labels: ['Esc', 'Enter'],
    help: 'close the viewer',
  },
  {
    scope: 'pages',
    keys: {
      P: 'page.findings',
      G: 'page.gallery',
      F: 'page.figures',
      S: 'page.slices',
      A: 'page.similar',
      C: 'page.compare',
      V: 'page.versions',
    },
    labels: ['P', 'G', 'F', 'S', 'A', 'C', 'V'],
    help: 'findings, gallery, figures, slices, similar, compare, versions; or G, then f g i s m c v',
  },
  {
    scope: 'rows',
    keys: { ArrowDown: 'row.next', ArrowUp: 'row.previous' },
    labels: ['↑', '↓'],
    help: 'next, previous row',
  },
  {
    scope: 'rows',
    keys: { ArrowRight: 'row.cropNext', ArrowLeft: 'row.cropPrevious' },
    labels: ['←', '→'],
    help: 'previous, next picture of the row',
  },
  {
    scope: 'rows',
    keys: { Enter: 'row.open', g: 'row.gallery' },
    labels: ['Enter', 'g'],
    help: 'open the picture; show all its items',
  },
  {
    scope: 'findings',
    keys: { r: 'finding.review', x: 'finding.known' },
    labels: ['r', 'x'],
    help: 'findings: review the items; dismiss as known',
  },
  {
    scope: 'findings',
    keys: { w: 'finding.wrong', e: 'finding.right', z: 'finding.undo', Z: 'finding.redo' },
    labels: ['w', 'e', 'z'],
    help: 'findings: the annotation of the picture is wrong; it is right; undo',
  },
  {
    scope: 'versions',
    keys: { ArrowDown: 'version.next', ArrowUp: 'version.previous', x: 'version.tick' },
    labels: ['↑', '↓', 'x'],
    help: 'versions: previous, next; tick for a comparison',
  },
  { scope: 'everywhere', keys: { d: 'theme' }, labels: ['d'], help: 'dark or light' },
  { scope: 'everywhere', keys: { '?': 'help' }, labels: ['?'], help: 'keys and terms' },
  {
    scope: 'gallery',
    keys: { Escape: 'escape' },
    labels: ['Esc'],
    help: 'clear the selection; leave the review; clear the filters',
  },
];

/** The headings of the help, with the scopes below each. */
export const HELP_GROUPS: readonly (readonly [string, readonly Scope[]])[] = [
  ['Gallery', ['gallery', 'walls']],
  ['Review', ['review']],
  ['Viewer', ['viewer']],
  ['Findings, slices, comparison and versions', ['rows', 'findings', 'versions']],
  ['Everywhere', ['page', 'pages', 'everywhere']],
];

const SCOPES: Record<Context, readonly Scope[]> = {
  gallery: ['everywhere', 'pages', 'page', 'walls', 'gallery', 'review'],
  images: ['everywhere', 'pages', 'page', 'walls'],
  findings: ['everywhere', 'pages', 'page', 'rows', 'findings'],
  rows: ['everywhere', 'pages', 'page', 'rows'],
  analysis: ['everywhere', 'pages', 'page'],
  versions: ['everywhere', 'pages', 'versions'],
  viewer: ['everywhere', 'viewer', 'review'],
};

/** Verdicts: on the wall they act while the reader reviews. */
export const VERDICTS: ReadonlySet<Action> = new Set([
  'review.wrong',
  'review.right',
  'review.unsure',
  'review.relabel',
]);

/** What the key after `G` opens. */
export const PAGE_AFTER_G: Readonly<Record<string, Page>> = {
  f: 'findings',
  g: 'gallery',
  i: 'figures',
  s: 'slices',
  m: 'similar',
  c: 'compare',
  v: 'versions',
};

/** What a key does where the reader is; undefined where it does nothing. */
export function actionFor(key: string, context: Context, mayReview: boolean): Action | undefined {
  for (const { scope, keys } of SHORTCUTS) {
    if (!SCOPES[context].includes(scope) || (scope === 'review' && !mayReview)) continue;
    if (Object.hasOwn(keys, key)) return keys[key];
  }
  return undefined;
}
