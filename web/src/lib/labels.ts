/** How outcomes are shown: never by colour alone. */
import type { Outcome, PageItem, Tab } from './api';

export const MARK: Record<Outcome, string> = {
  matched: '✓',
  missing: '+',
  extra: '−',
  ignored: '○',
  below: '·',
};

export const MEANING: Record<Outcome, string> = {
  matched: 'matched: prediction and annotation agree',
  missing: 'missing annotation: predicted, not annotated',
  extra: 'extra annotation: annotated, not predicted',
  ignored: 'ignored: takes no part',
  below: 'below its threshold',
};

export const TAB_NAME: Record<Tab, string> = {
  all: 'All',
  matched: 'Matched annotation',
  missing: 'Missing annotation',
  extra: 'Extra annotation',
};

/** What the items of a tab are. */
export const TAB_SENTENCE: Record<Tab, string> = {
  all: 'All predictions by score: ✓ matches an annotation, + matches none, · is below its threshold.',
  matched: 'True positives: predictions that match an annotation.',
  missing:
    'False positives: predicted, and no annotation matches. The model is wrong, or the annotation is missing.',
  extra:
    'False negatives: annotated, and no prediction matches. The model missed it, or the annotation is wrong.',
};

/** Of All, while what the annotations say is hidden. */
export const PLAIN_SENTENCE =
  'All predictions by score, without the annotations. Press u to see which of them match.';

export const ABBREVIATION: Record<Exclude<Tab, 'all'>, string> = {
  matched: 'TP',
  missing: 'FP',
  extra: 'FN',
};

/** The sign of an outcome with its standard abbreviation, where it has one: `+ FP`. */
export const markLabel = (outcome: Outcome): string =>
  outcome in ABBREVIATION
    ? `${MARK[outcome]} ${ABBREVIATION[outcome as keyof typeof ABBREVIATION]}`
    : MARK[outcome];

/** The name of a tab with its standard abbreviation. */
export const tabLabel = (tab: Tab): string =>
  tab === 'all' ? TAB_NAME.all : `${TAB_NAME[tab]} · ${ABBREVIATION[tab]}`;

export const CAUSE: Record<NonNullable<PageItem['cause']>, string> = {
  below_threshold: 'a prediction below the threshold matches it',
  other_concept: 'another concept in its place',
  badly_placed: 'the right concept, badly placed',
  taken: 'its prediction matched another annotation',
  nothing_there: 'nothing was predicted there',
  duplicate: 'a second prediction on a matched annotation',
  background: 'nothing is annotated there',
};

/** The cause of an error in words; tags and classes have no place, so that one cause has two sides. */
export const causeText = (cause: NonNullable<PageItem['cause']>, isMissing: boolean): string =>
  CAUSE[isMissing && cause === 'nothing_there' ? 'background' : cause];

type Action = NonNullable<PageItem['review']>['action'];

const DECIDED: Record<Action, string> = {
  add: 'label added',
  remove: 'label removed',
  change: 'label changed',
  confirm: 'label is right',
  unsure: 'unsure',
  comment: 'comment',
  revert: 'reverted',
  undo: 'undone',
  redo: 'redone',
  reset: 'new review round',
};

/** What people decided on an item, in the words of the button. side: of the item. */
export const decidedText = (action: Action, side: 'predicted' | 'annotated'): string =>
  action === 'confirm' && side === 'predicted' ? 'model is wrong' : DECIDED[action];

/** The same of an item of a list; '' if nobody has decided on it. */
export const reviewText = (item: PageItem): string =>
  item.review
    ? decidedText(item.review.action, item.outcome === 'extra' ? 'annotated' : 'predicted')
    : '';

/** The sign of a decision: ✕ where the model is wrong, ✓ where the label is or was made right. */
export function reviewSign(item: PageItem): string {
  const { review } = item;
  if (!review) return '';
  if (review.action === 'unsure') return '?';
  return review.action === 'confirm' && item.outcome !== 'extra' ? '✕' : '✓';
}

/** What is written over an item that was decided on since its list was opened. */
export function stampOf(item: PageItem): string {
  const text = reviewText(item);
  return text && `${reviewSign(item)} ${text[0]!.toUpperCase()}${text.slice(1)}`;
}

/** An item's outcome at a threshold, without asking the server. */
export function outcomeAt(
  item: { score: number | null; over: Outcome; outcome: Outcome },
  threshold: number | null,
): Outcome {
  if (item.over === 'extra' || item.score === null || threshold === null) return item.outcome;
  return item.score >= threshold ? item.over : 'below';
}
