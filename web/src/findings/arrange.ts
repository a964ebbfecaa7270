/** How findings are grouped, and how their gains are written. */
import type { FindingDocument, PageItem } from '../lib/api';
import { count } from '../lib/format';

export type Group = FindingDocument['group'];

/** Items shown of a finding, and of the one in focus. */
export const CROPS = 8;
export const CROPS_OPEN = 14;

export const GROUP_NAME: Record<Group, string> = {
  now: 'Fix here, now',
  training: 'For the next training',
  baseline: 'Since the baseline',
};
export const GROUP_GLOSS: Record<Group, string> = {
  now: 'labels, thresholds and files',
  training: 'what the model cannot do yet',
  baseline: '',
};
const GROUPS = Object.keys(GROUP_NAME) as Group[];

export interface FindingGroup {
  group: Group;
  findings: FindingDocument[];
}

/** The findings by group, those dismissed as known at the end of theirs. */
export function arrange(findings: readonly FindingDocument[]): FindingGroup[] {
  return GROUPS.map((group) => {
    const members = findings.filter((one) => one.group === group);
    return {
      group,
      findings: [...members.filter((one) => !one.known), ...members.filter((one) => one.known)],
    };
  }).filter((one) => one.findings.length > 0);
}

/** `−41` and `errors at most`; null where nothing can be stated. */
export function gainText({ gain, group }: FindingDocument): { value: string; unit: string } | null {
  if (gain.errors === null) return null;
  if (group === 'baseline') return { value: `+${count(gain.errors)}`, unit: 'errors' };
  const noun = gain.errors === 1 ? 'error' : 'errors';
  return { value: `−${count(gain.errors)}`, unit: gain.at_most ? `${noun} at most` : noun };
}

/** So many of the items in their order, if possible of different images. */
export function varied(items: readonly PageItem[], limit: number): PageItem[] {
  const first = new Map([...items].reverse().map((item) => [item.image, item]));
  const isFirst = (item: PageItem): boolean => first.get(item.image) === item;
  return [...items.filter(isFirst), ...items.filter((item) => !isFirst(item))]
    .slice(0, limit)
    .sort((one, other) => one.position - other.position);
}

/** The concepts of a finding's items, most items first. */
export function countByConcept(
  counts: readonly { tp: number; fp: number; fn: number }[],
  names: readonly string[],
  tab: 'all' | 'matched' | 'missing' | 'extra',
): { name: string; number: number }[] {
  const of = { all: ['tp', 'fp', 'fn'], matched: ['tp'], missing: ['fp'], extra: ['fn'] } as const;
  return counts
    .map((one, concept) => ({
      name: names[concept] ?? '',
      number: of[tab].reduce((sum, outcome) => sum + one[outcome], 0),
    }))
    .filter(({ number }) => number > 0)
    .sort((one, other) => other.number - one.number);
}

/** The place reached by a step from one of `length` places, without leaving them. */
export const step = (place: number, by: number, length: number): number =>
  Math.max(0, Math.min(length - 1, place + by));
