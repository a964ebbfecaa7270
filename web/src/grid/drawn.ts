/** What is drawn over the crop of an item. */
import type { Outcome, PageItem } from '../lib/api';
import type { Drawn } from './Boxes.svelte';

/** The item itself last, so that it lies over its partner and over the other version's prediction. */
export function drawnOver(item: PageItem, outcome: Outcome): Drawn[] {
  if (!item.box) return [];
  const boxes: Drawn[] = [];
  const { other, partner } = item;
  if (other?.box)
    boxes.push({ box: other.box, mask: other.mask, outcome: 'below', dashed: false, other: true });
  if (partner?.box) {
    const isAnnotation = partner.kind === 'annotation';
    const shown = partner.outcome ?? 'below';
    boxes.push({
      box: partner.box,
      mask: partner.mask,
      outcome: shown,
      dashed: isAnnotation,
      faint: isAnnotation || shown === 'below',
    });
  }
  return [...boxes, { box: item.box, mask: item.mask, outcome, dashed: outcome === 'extra' }];
}
