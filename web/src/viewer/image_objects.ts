/** What is drawn on a whole image: its predictions and annotations, and which of them are shown. */
import type { Box, ImageDocument, Outcome, PageItem } from '../lib/api';

export const OUTCOMES: readonly Outcome[] = ['matched', 'missing', 'extra', 'ignored', 'below'];

export interface ImageObject {
  key: string;
  concept: number;
  /** `negative`: annotated as absent, in tagging. */
  outcome: Outcome | 'negative';
  score: number | null;
  box: Box | null;
  /** SVG path data in pixels of the image; drawn instead of the box. */
  mask: string | null;
  outline: readonly (readonly number[])[];
  isAnnotation: boolean;
  /** Whether it is the item that the viewer was opened for. */
  isItem: boolean;
}

export function imageObjects(image: ImageDocument, item: PageItem | undefined): ImageObject[] {
  const isAnnotationItem = item?.outcome === 'extra';
  const predictions = image.predictions.map((prediction): ImageObject => ({
    key: `p${prediction.row}`,
    concept: prediction.concept,
    outcome: prediction.outcome,
    score: prediction.score,
    box: prediction.box as Box | null,
    mask: prediction.mask,
    outline: [],
    isAnnotation: false,
    isItem: !isAnnotationItem && prediction.row === item?.row,
  }));
  const annotations = image.annotations.map((annotation): ImageObject => ({
    key: `a${annotation.row}`,
    concept: annotation.concept,
    outcome: annotation.outcome,
    score: null,
    box: annotation.box as Box | null,
    mask: annotation.mask,
    outline: annotation.outline,
    isAnnotation: true,
    isItem: isAnnotationItem && annotation.row === item?.row,
  }));
  return [...predictions, ...annotations];
}

/** Two boxes are drawn of a match, but it is listed and counted once. */
export const isListed = (object: ImageObject): boolean =>
  !(object.isAnnotation && object.outcome === 'matched');

export const countOutcome = (objects: readonly ImageObject[], outcome: Outcome): number =>
  objects.filter((object) => object.outcome === outcome && isListed(object)).length;

/** Boxes below the threshold are many and hide the rest; an image's other scores are few. */
export const hiddenAtFirst = (kind: string): ReadonlySet<Outcome> =>
  new Set<Outcome>(kind === 'detection' ? ['below'] : []);

/** onlyConcept: null to show all concepts. */
export function shownObjects(
  objects: readonly ImageObject[],
  hidden: ReadonlySet<Outcome>,
  onlyConcept: number | null,
): ImageObject[] {
  return objects.filter(
    (object) =>
      object.isItem ||
      (object.outcome !== 'negative' &&
        !hidden.has(object.outcome) &&
        (onlyConcept === null || object.concept === onlyConcept)),
  );
}
