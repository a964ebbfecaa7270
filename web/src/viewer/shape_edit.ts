/** Adjusting the outline of a mask, the corners of an oriented box or keypoints, in pixels of the picture, as pure arithmetic. */

export interface Vertex {
  readonly x: number;
  readonly y: number;
}

/** rings: closed lines, or one list of points · exact: each ring with all its vertices, until it is edited · visibility: of each point, 0 where it is not labelled; empty for lines. */
export interface Shape {
  readonly rings: readonly (readonly Vertex[])[];
  readonly exact: readonly (readonly Vertex[] | null)[];
  readonly visibility: readonly number[];
}

/** Which vertex of which ring. */
export interface Place {
  readonly ring: number;
  readonly vertex: number;
}

/** A ring needs so many vertices. */
const LEAST = 3;
/** A keypoint in a path as the server draws it: not drawn, a cross where it is hidden, else a diamond. */
const POINT = /M([-\d.]+) ([-\d.]+)m(0 0|-|0 -)/g;
const VISIBILITY: Record<string, number> = { '0 0': 0, '-': 1, '0 -': 2 };
const STEP = /([MLhvz])\s*(-?[\d.]+)?(?:[ ,]?(-?[\d.]+))?/g;

/** Share of the size of a ring to which it is simplified at most: small parts keep their form. */
const LEAST_DETAIL = 0.02;

/** The shape that a path draws; lines are simplified: no vertex is farther from them than the tolerance in pixels. No ring is lost. */
export function parseShape(path: string, tolerance: number): Shape {
  const points = [...path.matchAll(POINT)];
  if (points.length)
    return {
      rings: [points.map(([, x, y]) => ({ x: Number(x), y: Number(y) }))],
      exact: [null],
      visibility: points.map(([, , , mark]) => VISIBILITY[mark!] ?? 0),
    };
  const rings: Vertex[][] = [];
  for (const [, command, first, second] of path.matchAll(STEP)) {
    const ring = rings.at(-1);
    const last = ring?.at(-1);
    if (command === 'M') rings.push([{ x: Number(first), y: Number(second) }]);
    else if (command === 'L') ring?.push({ x: Number(first), y: Number(second) });
    else if (command === 'h' && last) ring!.push({ x: last.x + Number(first), y: last.y });
    else if (command === 'v' && last) ring!.push({ x: last.x, y: last.y + Number(first) });
  }
  const simplified = rings.map((ring) => {
    const simple = simplify(ring, Math.min(tolerance, Math.max(0.5, LEAST_DETAIL * sizeOf(ring))));
    return simple.length < LEAST ? ring : simple;
  });
  return { rings: simplified, exact: rings, visibility: [] };
}

const sizeOf = (ring: readonly Vertex[]): number => {
  const span = (values: number[]): number => Math.max(...values) - Math.min(...values);
  return Math.max(span(ring.map(({ x }) => x)), span(ring.map(({ y }) => y)));
};

/** A closed line with fewer vertices (Ramer 1972, Douglas and Peucker 1973). */
export function simplify(ring: readonly Vertex[], tolerance: number): Vertex[] {
  const far = ring.reduce(
    (best, one, at) => (distance(one, ring[0]!) > distance(ring[best]!, ring[0]!) ? at : best),
    0,
  );
  if (!far) return [...ring];
  const [there, back] = [ring.slice(0, far + 1), [...ring.slice(far), ring[0]!]];
  return [...open(there, tolerance).slice(0, -1), ...open(back, tolerance).slice(0, -1)];
}

function open(line: readonly Vertex[], tolerance: number): Vertex[] {
  const [first, last] = [line[0]!, line.at(-1)!];
  let [at, most] = [0, tolerance];
  line.forEach((one, index) => {
    const off = distanceToLine(one, first, last);
    if (off > most) [at, most] = [index, off];
  });
  if (!at) return [first, last];
  return [
    ...open(line.slice(0, at + 1), tolerance).slice(0, -1),
    ...open(line.slice(at), tolerance),
  ];
}

const distance = (one: Vertex, other: Vertex): number =>
  Math.hypot(one.x - other.x, one.y - other.y);

function distanceToLine(point: Vertex, first: Vertex, last: Vertex): number {
  const length = distance(first, last);
  if (!length) return distance(point, first);
  const cross = (last.x - first.x) * (first.y - point.y) - (first.x - point.x) * (last.y - first.y);
  return Math.abs(cross) / length;
}

const withRing = (shape: Shape, ring: number, vertices: readonly Vertex[]): Shape => ({
  ...shape,
  rings: shape.rings.map((one, at) => (at === ring ? vertices : one)),
  exact: shape.exact.map((one, at) => (at === ring ? null : one)),
});

/** A vertex moved by (x, y), within the picture. A keypoint that was not labelled is then visible. */
export function moved(
  shape: Shape,
  { ring, vertex }: Place,
  x: number,
  y: number,
  picture: { width: number; height: number },
): Shape {
  const vertices = shape.rings[ring]!.map((one, at) =>
    at === vertex
      ? { x: clamp(one.x + x, picture.width), y: clamp(one.y + y, picture.height) }
      : one,
  );
  const visibility = shape.visibility.map((one, at) => (at === vertex && !one ? 2 : one));
  return { ...withRing(shape, ring, vertices), visibility };
}

/** With a vertex in the middle of the line behind another one. */
export function inserted(shape: Shape, { ring, vertex }: Place): Shape {
  const vertices = shape.rings[ring]!;
  const [one, next] = [vertices[vertex]!, vertices[(vertex + 1) % vertices.length]!];
  const middle = { x: (one.x + next.x) / 2, y: (one.y + next.y) / 2 };
  return withRing(shape, ring, vertices.toSpliced(vertex + 1, 0, middle));
}

/** Without a vertex, and without a ring that has too few; a keypoint is then not labelled. The last ring stays. */
export function removed(shape: Shape, { ring, vertex }: Place): Shape {
  if (shape.visibility.length) {
    const visibility = shape.visibility.with(vertex, 0);
    return visibility.some(Boolean) ? { ...shape, visibility } : shape;
  }
  const vertices = shape.rings[ring]!.toSpliced(vertex, 1);
  if (vertices.length >= LEAST) return withRing(shape, ring, vertices);
  if (shape.rings.length < 2) return shape;
  return {
    ...shape,
    rings: shape.rings.toSpliced(ring, 1),
    exact: shape.exact.toSpliced(ring, 1),
  };
}

/** The next place in the order of the rings, around. */
export function stepped(shape: Shape, { ring, vertex }: Place, by: 1 | -1): Place {
  const places = shape.rings.flatMap((vertices, ringAt) =>
    vertices.map((_, vertexAt) => ({ ring: ringAt, vertex: vertexAt })),
  );
  const at = places.findIndex((one) => one.ring === ring && one.vertex === vertex);
  return places[(at + by + places.length) % places.length] ?? { ring: 0, vertex: 0 };
}

/** As the server takes it: `x, y, ...` of each ring, or `x, y, visibility, ...` of the keypoints. */
export function shapeNumbers({ rings, exact, visibility }: Shape): number[][] {
  return rings.map((ring, ringAt) =>
    (exact[ringAt] ?? ring).flatMap(({ x, y }, at) => {
      if (!visibility.length) return [x, y];
      return visibility[at] ? [x, y, visibility[at]] : [0, 0, 0];
    }),
  );
}

/** Path data of lines; nothing for keypoints. */
export const shapePath = ({ rings, visibility }: Shape): string =>
  visibility.length
    ? ''
    : rings.map((ring) => `M${ring.map(({ x, y }) => `${x} ${y}`).join('L')}z`).join('');

const clamp = (value: number, high: number): number => Math.max(0, Math.min(high, value));
