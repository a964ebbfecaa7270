/** The tour of the gallery: what to look at, in four steps. */
export interface Step {
  /** What is pointed at; a step whose part is not shown is left out. */
  selector: string;
  title: string;
  text: string;
}

export const STEPS: readonly Step[] = [
  {
    selector: '[role=tablist]',
    title: 'Four lists',
    text: 'All predictions; those that match an annotation (TP); those where an annotation is missing (FP); annotations that nothing was predicted for (FN).',
  },
  {
    selector: '[role=listbox][aria-label^=Items]',
    title: 'Pictures first',
    text: 'Predicted boxes are solid, annotated ones dashed. A click or Enter opens an item in its picture, with everything around it.',
  },
  {
    selector: 'aside.strip',
    title: 'The exact threshold',
    text: 'Each concept has the threshold with the fewest errors on validation. Choose a concept and drag the line: lists and figures follow.',
  },
  {
    selector: '.summary button.review',
    title: 'Correct as you look',
    text: 'Review turns on three keys: w changes the annotation, e says that the model is wrong, q that you are unsure. Nothing you imported is changed.',
  },
];

const KEY = 'pellucid.tour';

export const wasSeen = (): boolean => localStorage.getItem(KEY) === '1';
export const markSeen = (): void => localStorage.setItem(KEY, '1');

/** The position of the card next to what it points at, inside the window; in pixels. */
export function cardPlace(
  target: { left: number; top: number; right: number; bottom: number },
  card: { width: number; height: number },
  view: { width: number; height: number },
  gap = 12,
): { left: number; top: number } {
  const clamp = (value: number, most: number) => Math.max(gap, Math.min(value, most - gap));
  const left = clamp(target.left, view.width - card.width);
  if (target.bottom + gap + card.height + gap <= view.height)
    return { left, top: target.bottom + gap };
  if (target.top - gap - card.height >= gap) return { left, top: target.top - gap - card.height };
  const beside = target.left - gap - card.width;
  const top = clamp((target.top + target.bottom - card.height) / 2, view.height - card.height);
  if (beside >= gap) return { left: beside, top };
  return { left: clamp((view.width - card.width) / 2, view.width - card.width), top };
}
