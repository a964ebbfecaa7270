/** The concepts whose AP changed most between two versions. */

export interface VersionFigures {
  /** Names of the concepts. */
  concepts: readonly string[];
  ap: readonly (number | null)[];
  /** Annotations of each concept in the split. */
  annotations: readonly number[];
}

export interface ApChange {
  concept: string;
  annotations: number;
  earlier: number;
  later: number;
}

/** Fewest annotations of a concept whose AP says something. */
export const MIN_ANNOTATIONS = 10;

/** What fell and what rose, most first; concepts of both versions alone, each with enough annotations. */
export function apChanges(
  baseline: VersionFigures,
  candidate: VersionFigures,
  limit: number,
): { fell: ApChange[]; rose: ApChange[] } {
  const changes: ApChange[] = [];
  candidate.concepts.forEach((concept, place) => {
    const before = baseline.concepts.indexOf(concept);
    const [earlier, later] = [before < 0 ? null : baseline.ap[before], candidate.ap[place]];
    const annotations = candidate.annotations[place] ?? 0;
    if (earlier == null || later == null || annotations < MIN_ANNOTATIONS) return;
    changes.push({ concept, annotations, earlier, later });
  });
  const by = (one: ApChange): number => one.later - one.earlier;
  changes.sort((one, other) => by(one) - by(other));
  return {
    fell: changes.filter((one) => by(one) < 0).slice(0, limit),
    rose: changes
      .filter((one) => by(one) > 0)
      .reverse()
      .slice(0, limit),
  };
}
