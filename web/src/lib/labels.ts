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
  below: 'under its threshold',
};

export const TAB_NAME: Record<Tab, string> = {
  all: 'All',
  matched: 'Matched annotation',
  missing: 'Missing annotation',
  extra: 'Extra annotation',
};

export const CAUSE: Record<NonNullable<PageItem['cause']>, string> = {
  below_threshold: 'a prediction under the threshold matches it',
  other_concept: 'another concept in its place',
  badly_placed: 'a box that is badly placed',
  taken: 'its prediction matched another annotation',
  nothing_there: 'nothing was predicted there',
  duplicate: 'a second box on a matched annotation',
  background: 'nothing is annotated there',
};

/** What people decided on an item. */
export const DECIDED: Record<NonNullable<PageItem['review']>['action'], string> = {
  add: 'annotation added',
  remove: 'annotation removed',
  change: 'annotation changed',
  confirm: 'annotation is right',
  unsure: 'unsure',
  comment: 'comment',
  revert: 'taken back',
  undo: 'taken back',
  redo: 'brought back',
  reset: 'another round',
};

/** An item's outcome at a threshold, without asking the server. */
export function outcomeAt(
  item: { score: number | null; over: Outcome; outcome: Outcome },
  threshold: number | null,
): Outcome {
  if (item.over === 'extra' || item.score === null || threshold === null) return item.outcome;
  return item.score >= threshold ? item.over : 'below';
}
