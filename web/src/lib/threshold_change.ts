/** What a moved threshold costs and gains, beside the best one. */
import { count } from './format';

export interface Counts {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
}

export interface CountChange {
  outcome: 'matched' | 'missing' | 'extra';
  /** As it is written: `−18 FP`. */
  text: string;
}

const signed = (number: number): string => `${number < 0 ? '−' : '+'}${count(Math.abs(number))}`;

/** The changes in TP, FP and FN from the counts at the best threshold to those now; empty where nothing changes. */
export function countChanges(best: Counts, now: Counts): CountChange[] {
  const changes: [CountChange['outcome'], string, number][] = [
    ['matched', 'TP', now.tp - best.tp],
    ['missing', 'FP', now.fp - best.fp],
    ['extra', 'FN', now.fn - best.fn],
  ];
  return changes
    .filter(([, , change]) => change !== 0)
    .map(([outcome, name, change]) => ({ outcome, text: `${signed(change)} ${name}` }));
}
