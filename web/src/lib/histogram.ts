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

/** Round up to 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((step) => step * power >= value - 1e-12) ?? 10);
}

/** Where the axis of counts ends: beyond the largest bar of true positives and most others, so that a few items show beside thousands of weak predictions, whose bars are cut. */
export function axisEnd(totals: readonly number[], right: readonly number[]): number {
  const sorted = [...totals].sort((one, other) => one - other);
  const typical = sorted[Math.floor(sorted.length * 0.85)] ?? 0;
  return roundUp(Math.max(1, typical, ...right));
}

/** Round scores to label the axis with, about ten of them. */
export function scoreTicks(low: number, high: number): number[] {
  if (!(high > low)) return [];
  const step = roundUp((high - low) / 10);
  const ticks = [];
  for (let place = Math.ceil(low / step); place * step <= high; place++)
    ticks.push(Number((place * step).toPrecision(6)));
  return ticks;
}
