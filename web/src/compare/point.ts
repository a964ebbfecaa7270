/** The operating point at which two versions are compared, as the address and the server name it. */

export const FEWEST_ERRORS = 'errors';

/** The kinds of points; those with a number at which they begin. */
export const POINT_KINDS = ['errors', 'f1', 'score', 'precision', 'recall'] as const;
export type PointKind = (typeof POINT_KINDS)[number];

export const POINT_NAME: Record<PointKind, string> = {
  errors: 'each version’s fewest errors',
  f1: 'each version’s best F1',
  score: 'one score for both',
  precision: 'precision at least',
  recall: 'recall at least',
};
const FIRST_VALUE: Partial<Record<PointKind, number>> = { score: 0.5, precision: 0.9, recall: 0.9 };

export interface Point {
  kind: PointKind;
  /** A score, or the least precision or recall; null for kinds without a number. */
  value: number | null;
}

/** A point that was written otherwise, such as a cost, is not offered: null. */
export function parsePoint(text: string): Point | null {
  const [name, number] = text.split(':');
  const kind = POINT_KINDS.find((one) => one === name);
  if (!kind) return null;
  if (FIRST_VALUE[kind] === undefined) return number === undefined ? { kind, value: null } : null;
  const value = Number(number);
  return number && Number.isFinite(value) ? { kind, value } : null;
}

export const formatPoint = ({ kind, value }: Point): string =>
  value === null ? kind : `${kind}:${value}`;

/** The point of another kind, at its first value. */
export const pointOf = (kind: PointKind): Point => ({ kind, value: FIRST_VALUE[kind] ?? null });

/** The thresholds, for the line that says what is compared. */
export function pointLabel(text: string): string {
  const point = parsePoint(text);
  if (!point) return `each version at ${text}`;
  const { kind, value } = point;
  if (kind === 'errors') return 'each version at its own thresholds';
  if (kind === 'f1') return 'each version at the thresholds of its best F1';
  if (kind === 'score') return `both at a score of ${value}`;
  return `each version at thresholds with a ${kind} of at least ${value}`;
}

/** The filters that are about one of these columns of the images. */
export const clausesAbout = (
  only: readonly string[],
  columns: readonly string[],
): readonly string[] =>
  only.filter((clause) =>
    columns.some((name) => clause.startsWith(`where:${encodeURIComponent(name)}=`)),
  );
