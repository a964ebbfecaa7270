/** A mark of a keypoint in a path as the server draws it; `m0 0` follows where it is not drawn. */
const MARK = /M([-\d.]+) ([-\d.]+)m(0 0)?/g;

interface Point {
  place: string;
  isDrawn: boolean;
}

function markedPoints(path: string): Point[] {
  return [...path.matchAll(MARK)].map(([, x, y, undrawn]) => ({
    place: `${x} ${y}`,
    isDrawn: undrawn === undefined,
  }));
}

/** Lines from each annotated keypoint to where it was predicted; null for paths of other shapes. */
export function pointErrors(predicted: string, annotated: string): string | null {
  const [own, other] = [markedPoints(predicted), markedPoints(annotated)];
  if (!own.length || own.length !== other.length) return null;
  return own
    .map((point, index) => [point, other[index]!] as const)
    .filter(([first, second]) => first.isDrawn && second.isDrawn)
    .map(([first, second]) => `M${second.place}L${first.place}`)
    .join('');
}
