/** What the two verdicts do to an item, in words, as the server will do it. */
import type { Box, Outcome, PageItem } from '../lib/api';

type Kind = 'classification' | 'tagging' | 'detection';

/** The part of an item that the verbs depend on. */
export type Subject = Pick<PageItem, 'concept' | 'outcome' | 'over' | 'cause' | 'partner' | 'box'>;

export interface Verbs {
  /** "The annotation is wrong": what is done to it. */
  wrong: string;
  /** Sent with the verdict; undefined: the server's own choice. */
  change?: { replaces: true; box: Box };
  /** Why the annotation cannot be corrected without more words; null if it can. */
  blocked: string | null;
  /** "The annotation is right". */
  right: string;
}

const verbs = (wrong: string, right: string, blocked: string | null = null): Verbs => ({
  wrong,
  right,
  blocked,
});

const ANNOTATED = verbs('Remove label', 'Label is right');

export function verbsOf(
  item: Subject,
  outcome: Outcome,
  kind: Kind,
  concepts: readonly string[],
): Verbs {
  if (kind === 'classification') return classVerbs(item, concepts);
  const isAnnotated =
    item.outcome === 'extra' || (item.over === 'matched' && item.outcome !== 'ignored');
  if (isAnnotated) return ANNOTATED;
  const isBelow = outcome === 'below' || outcome === 'ignored';
  return (
    (kind === 'detection' && outcome === 'missing' && replacingVerbs(item, concepts)) ||
    verbs('Add label', isBelow ? 'No label is missing' : 'Model is wrong')
  );
}

/** A false positive on an annotation with another box or concept, which it would replace; not one that a better prediction matches. */
function replacingVerbs(item: Subject, concepts: readonly string[]): Verbs | null {
  const { cause, box, concept } = item;
  const { partner } = item;
  if (partner?.kind !== 'annotation' || partner.outcome !== 'extra') return null;
  if (cause === 'badly_placed' && box)
    return { ...verbs('Move label here', 'Model is wrong'), change: { replaces: true, box } };
  if (cause !== 'other_concept' || !partner.box) return null;
  return {
    ...verbs(`Relabel as ${concepts[concept]}`, `Keep ${concepts[partner.concept]}`),
    change: { replaces: true, box: partner.box },
  };
}

/** One class an image: the predicted one takes the place of the annotated one. */
function classVerbs(item: Subject, concepts: readonly string[]): Verbs {
  const name = concepts[item.concept] ?? '';
  const partner = item.partner && !item.partner.box ? item.partner : null;
  const agrees = 'The model predicts the same class: choose another with n';
  if (item.outcome === 'extra') {
    if (!partner || partner.kind !== 'prediction' || partner.concept === item.concept)
      return verbs('Relabel', `Keep ${name}`, agrees);
    return verbs(`Relabel as ${concepts[partner.concept]}`, `Keep ${name}`);
  }
  if (item.over === 'matched') return verbs('Relabel', `Keep ${name}`, agrees);
  const annotated = partner?.kind === 'annotation' ? concepts[partner.concept] : null;
  return verbs(
    annotated ? `Relabel as ${name}` : `Add label ${name}`,
    annotated ? `Keep ${annotated}` : 'Model is wrong',
  );
}
