import { fraction } from '../lib/format';

/** How the overview of versions writes figures, dates and changes. */

/** A figure between 0 and 1. */
export const ratio = (value: number): string => fraction(value, 3);

/** The day of a time stamp, such as 28 Nov 2026. */
export const day = (stamp: string): string =>
  new Date(stamp).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

export interface Change {
  text: string;
  isBetter: boolean;
}

/** The change since the version before; null if there is none. better: the sign of an improvement. */
export function change(
  value: number | null,
  earlier: number | null,
  write: (value: number) => string,
  better: 1 | -1,
): Change | null {
  if (value === null || earlier === null || value === earlier) return null;
  const rise = value - earlier;
  return {
    text: `${rise > 0 ? '▲' : '▼'} ${write(Math.abs(rise))}`,
    isBetter: Math.sign(rise) === better,
  };
}

/** The ticked versions after one more click: at most two, of which the older click gives way. */
export function tick(ticked: readonly string[], version: string): readonly string[] {
  return ticked.includes(version)
    ? ticked.filter((one) => one !== version)
    : [...ticked.slice(-1), version];
}
