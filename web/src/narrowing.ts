/** What a list is narrowed down to, in words. */
import { CAUSE } from './outcome';
import { score } from './format';

const CHANGE: Record<string, string> = {
  fixed: 'found by', broken: 'found by', still_wrong: 'missed as well by', both_right: 'found as well by', alarm_gone: 'not predicted by', alarm_new: 'not predicted by',
};

/** `0.2..0.4`, either end of which may be open. */
function range(words: string): string {
  const [low, high] = words.split('..');
  const number = (end: string) => (Number.isFinite(Number(end)) ? (Number.isInteger(Number(end)) ? end : score(Number(end))) : end);
  if (!low) return `under ${number(high ?? '')}`;
  return high ? `${number(low)} to ${number(high)}` : `${number(low)} or more`;
}

/** As `decodeURIComponent`, and what it cannot read as it is. */
function plainly(words: string): string {
  try {
    return decodeURIComponent(words);
  } catch {
    return words;
  }
}

export function inWords(clause: string, concepts: readonly string[]): string {
  const colon = clause.indexOf(':');
  const [word, value] = [clause.slice(0, colon), clause.slice(colon + 1)];
  const known = concepts.includes(value) ? value : value || 'nothing';
  switch (word) {
    case 'cause': return CAUSE[value as keyof typeof CAUSE] ?? value;
    case 'score': return `score ${range(value)}`;
    case 'answered': return `found with a score of ${range(value)}`;
    case 'right': return value === 'yes' ? 'right' : 'wrong';
    case 'counts': return 'takes part';
    case 'predicted': return `predicted instead: ${known}`;
    case 'annotated': return `annotated instead: ${known}`;
    case 'like': return 'most like the first item';
    case 'where': {
      const [name, rest = ''] = [value.slice(0, value.indexOf('=')), value.slice(value.indexOf('=') + 1)];
      const plain = plainly(name);
      return rest.includes('..') ? `${plain} ${range(rest)}` : `${plain} ${rest.split('|').map(plainly).join(' or ')}`;
    }
    case 'versus': {
      const cut = value.lastIndexOf('=');
      return `${CHANGE[value.slice(cut + 1)] ?? ''} ${value.slice(0, cut)}`;
    }
    default: return clause;
  }
}
