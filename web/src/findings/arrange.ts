/** How findings are grouped, and how their gains are written. */
import type { FindingDocument } from '../lib/api';
import { count } from '../lib/format';

export type Group = FindingDocument['group'];

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
