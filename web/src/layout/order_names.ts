/** The orders of the wall in words, of which some depend on what is listed. */
import type { Tab } from '../lib/api';
import type { ImageOrder, Order } from '../state/route';

type Kind = 'classification' | 'tagging' | 'detection';

export function orderName(order: Order, tab: Tab, kind: Kind, hasScores = true): string {
  if (order === 'margin') return 'Margin to threshold';
  if (order === 'size') return 'Largest first';
  if (order === 'mistakes') return 'Likely label errors';
  if (order === 'similar') return 'Similar together';
  if (!hasScores) return 'By file name';
  return tab === 'extra' && kind === 'detection' ? 'Lowest best match' : 'Highest score first';
}

/** The orders of whole images. */
export const imageOrderName: Readonly<Record<ImageOrder, string>> = {
  errors: 'Most errors first',
  fp: 'Most false positives first',
  fn: 'Most false negatives first',
  score: 'Most confident error first',
};
