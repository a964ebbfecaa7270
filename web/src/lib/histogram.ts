/** The strip beside the wall: scores from top (highest) to bottom, and positions in the wall along them. */
import type { HistogramDocument, Tab } from './api';

export interface Scale {
  low: number;
  high: number;
}

export const scaleOf = (histogram: HistogramDocument): Scale => ({
  low: histogram.edges[0] ?? 0,
  high: histogram.edges[histogram.edges.length - 1] ?? 1,
});

/** A score as a share of the strip's height, from the top; reverse puts the lowest on top. */
export function heightOf(score: number, { low, high }: Scale, reverse: boolean): number {
  const fromLow = high > low ? Math.min(1, Math.max(0, (score - low) / (high - low))) : 0;
  return reverse ? fromLow : 1 - fromLow;
}

export function scoreAt(height: number, { low, high }: Scale, reverse: boolean): number {
  const share = Math.min(1, Math.max(0, height));
  return low + (reverse ? share : 1 - share) * (high - low);
}

/** How many items of a tab each bin holds; Matched and Missing end at the threshold. */
export function itemsPerBin(
  histogram: HistogramDocument,
  tab: Tab,
  threshold: number | null,
): number[] {
  return histogram.right.map((right, bin) => {
    const wrong = histogram.wrong[bin] ?? 0;
    if (tab === 'all') return right + wrong + (histogram.other[bin] ?? 0);
    const low = histogram.edges[bin] ?? 0;
    const high = histogram.edges[bin + 1] ?? 0;
    const over =
      threshold === null || high <= low
        ? 1
        : Math.min(1, Math.max(0, (high - threshold) / (high - low)));
    return (tab === 'matched' ? right : wrong) * over;
  });
}

/** About where in the tab the items of a score begin; exact at the edges of the bins. */
export function positionOf(
  score: number,
  histogram: HistogramDocument,
  perBin: number[],
  total: number,
  reverse: boolean,
): number {
  const { low, high } = scaleOf(histogram);
  const bins = perBin.length;
  const exact = high > low ? ((score - low) / (high - low)) * bins : 0;
  let above = 0;
  for (let bin = bins - 1; bin >= 0; bin--) {
    const share = Math.min(1, Math.max(0, bin + 1 - exact));
    if (share <= 0) break;
    above += (perBin[bin] ?? 0) * share;
  }
  const sum = perBin.reduce((one, other) => one + other, 0);
  const position = Math.round(sum > 0 ? (above / sum) * total : 0);
  const last = Math.max(0, total - 1);
  return Math.min(last, Math.max(0, reverse ? total - position : position));
}

/** Bars grow with the square root of their count, so that a few items still show beside thousands. */
export const barLength = (items: number, most: number): number =>
  most > 0 ? Math.sqrt(items / most) : 0;
