/** Why an item is an error, as a chip in its picture: short, and silent in the plain cases. */
import type { Outcome, PageItem } from '../lib/api';
import { overlap, score } from '../lib/format';

type Subject = Pick<PageItem, 'cause' | 'partner'>;

/** `score .277`, `IoU .18`, `taken`, `duplicate`, `on motorcycle`; '' where nothing is there. */
export function reasonOf(
  item: Subject,
  outcome: Outcome,
  concepts: readonly string[],
  similarity = 'IoU',
): string {
  if (outcome !== 'missing' && outcome !== 'extra') return '';
  const { cause, partner } = item;
  if (cause === 'below_threshold') return partner ? `score ${score(partner.score)}` : '';
  if (cause === 'badly_placed')
    return partner?.iou ? `${similarity} ${overlap(partner.iou)}` : 'badly placed';
  if (cause === 'taken') return 'taken';
  if (cause === 'duplicate') return 'duplicate';
  if (cause === 'other_concept' && partner) return `on ${concepts[partner.concept] ?? ''}`;
  return '';
}
