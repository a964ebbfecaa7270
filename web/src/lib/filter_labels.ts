/** What a list is filtered by, in words. */
import { CAUSE } from './labels';
import { score } from './format';

const CHANGE: Record<string, string> = {
  fixed: 'found by',
  broken: 'found by',
  still_wrong: 'also not found by',
  both_right: 'also found by',
  alarm_gone: 'not predicted by',
  alarm_new: 'not predicted by',
};

/** `0.2..0.4`, either end of which may be open. */
function rangeLabel(range: string): string {
  const [low, high] = range.split('..');
  const number = (end: string) =>
    Number.isFinite(Number(end)) ? (Number.isInteger(Number(end)) ? end : score(Number(end))) : end;
  if (!low) return `under ${number(high ?? '')}`;
  return high ? `${number(low)} to ${number(high)}` : `${number(low)} or more`;
}

/** Like `decodeURIComponent`, but text that is not encoded is returned as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Text before and after the separator. */
function splitAt(text: string, position: number): [string, string] {
  return position < 0 ? [text, ''] : [text.slice(0, position), text.slice(position + 1)];
}

function sliceLabel(condition: string): string {
  const [property, values] = splitAt(condition, condition.indexOf('='));
  const name = decode(property);
  if (values.includes('..')) return `${name} ${rangeLabel(values)}`;
  return `${name} ${values.split('|').map(decode).join(' or ')}`;
}

function versusLabel(value: string): string {
  const [version, wanted] = splitAt(value, value.lastIndexOf('='));
  const [change, point] = splitAt(wanted, wanted.indexOf('@'));
  const [kind, number] = splitAt(point, point.indexOf(':'));
  return `${CHANGE[change] ?? ''} ${version}${point ? ` at ${kind} ${number}`.trimEnd() : ''}`;
}

const LABELS: Record<string, (value: string) => string> = {
  file: (value) => `file name contains “${decode(value)}”`,
  cause: (value) => CAUSE[value as keyof typeof CAUSE] ?? value,
  score: (value) => `score ${rangeLabel(value)}`,
  answered: (value) => `found with a score of ${rangeLabel(value)}`,
  right: (value) => (value === 'yes' ? 'right' : 'wrong'),
  counts: () => 'takes part',
  predicted: (value) => `predicted instead: ${value || 'nothing'}`,
  annotated: (value) => `annotated instead: ${value || 'nothing'}`,
  items: (value) => `${value.split(',').length} selected on the map`,
  like: () => 'most like the first item',
  text: (value) => `most like “${decode(value)}”`,
  where: sliceLabel,
  versus: versusLabel,
};

export function filterLabel(clause: string): string {
  const [kind, value] = splitAt(clause, clause.indexOf(':'));
  return Object.hasOwn(LABELS, kind) ? LABELS[kind]!(value) : clause;
}

/** The clause of a property: a range with an open end where the text is empty, or some of its values; null for none. */
export function propertyClause(
  name: string,
  low: string | number,
  high: string | number,
  values: readonly string[],
): string | null {
  const encoded = encodeURIComponent(name).replaceAll('..', '%2E%2E');
  if (values.length)
    return `where:${encoded}=${values
      .map((value) => encodeURIComponent(value).replaceAll('..', '%2E%2E'))
      .join('|')}`;
  const ends = [low ?? '', high ?? ''].map(String);
  return ends.every((end) => end === '') ? null : `where:${encoded}=${ends.join('..')}`;
}
