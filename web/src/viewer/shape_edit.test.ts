import { describe, expect, test } from 'vitest';
import {
  inserted,
  moved,
  parseShape,
  removed,
  shapeNumbers,
  shapePath,
  simplify,
  stepped,
} from './shape_edit';

const SIZE = { width: 100, height: 80 };

describe('the outline of a mask', () => {
  const square = parseShape('M10 10h20v20h-20z', 0.5);

  test('is read from the path that draws it', () => {
    expect(shapeNumbers(square)).toEqual([[10, 10, 30, 10, 30, 30, 10, 30]]);
    expect(shapePath(square)).toBe('M10 10L30 10L30 30L10 30z');
    const ring = parseShape('M0 0h9v9h-9zM3 3v3h3v-3z', 0.5);
    expect(ring.rings.map((one) => one.length)).toEqual([4, 4]);
  });

  test('has few vertices, none of which is far from the line', () => {
    const stairs = `M0 0${'h1v1'.repeat(40)}v20h-40z`;
    const shape = parseShape(stairs, 1);
    expect(shape.rings[0]!.length).toBeLessThan(8);
    const circle = Array.from({ length: 200 }, (_, at) => ({
      x: 50 + 30 * Math.cos((at * Math.PI) / 100),
      y: 40 + 30 * Math.sin((at * Math.PI) / 100),
    }));
    const simple = simplify(circle, 1);
    expect(simple.length).toBeGreaterThan(8);
    expect(simple.length).toBeLessThan(40);
  });

  test('keeps its small parts, and those that are not edited as they are', () => {
    const stairs = `M0 0${'h1v1'.repeat(40)}v20h-40z`;
    const shape = parseShape(`${stairs}M70 70h1v1h1v1h-2z`, 8);
    expect(shape.rings).toHaveLength(2);
    const [first, second] = shapeNumbers(shape);
    expect(first!.length).toBeGreaterThan(160); // all the steps
    expect(second).toEqual([70, 70, 71, 70, 71, 71, 72, 71, 72, 72, 70, 72]);
    const edited = moved(shape, { ring: 1, vertex: 0 }, 1, 1, SIZE);
    expect(shapeNumbers(edited)[0]).toEqual(first);
    expect(shapeNumbers(edited)[1]).not.toEqual(second);
  });

  test('is pulled at a vertex, within the picture', () => {
    const pulled = moved(square, { ring: 0, vertex: 2 }, 500, -5, SIZE);
    expect(shapeNumbers(pulled)).toEqual([[10, 10, 30, 10, 100, 25, 10, 30]]);
  });

  test('gains and loses vertices, down to three', () => {
    const more = inserted(square, { ring: 0, vertex: 3 });
    expect(shapeNumbers(more)[0]!.slice(-2)).toEqual([10, 20]);
    const three = removed(removed(more, { ring: 0, vertex: 4 }), { ring: 0, vertex: 0 });
    expect(three.rings[0]).toHaveLength(3);
    expect(removed(three, { ring: 0, vertex: 0 })).toBe(three);
  });

  test('loses a hole with its last three vertices', () => {
    const holed = parseShape('M0 0h9v9h-9zM3 3v3h3z', 0.1);
    const filled = removed(holed, { ring: 1, vertex: 0 });
    expect(filled.rings).toHaveLength(1);
  });

  test('is walked around', () => {
    expect(stepped(square, { ring: 0, vertex: 3 }, 1)).toEqual({ ring: 0, vertex: 0 });
    expect(stepped(square, { ring: 0, vertex: 0 }, -1)).toEqual({ ring: 0, vertex: 3 });
  });
});

describe('keypoints', () => {
  const path = 'M5 5L20 9M5 5m0 -1l1 1l-1 1l-1 -1zM20 9m-1 -1l2 2m0 -2l-2 2M0 0m0 0';
  const points = parseShape(path, 1);

  test('are read with their visibility', () => {
    expect(points.visibility).toEqual([2, 1, 0]);
    expect(shapeNumbers(points)).toEqual([[5, 5, 2, 20, 9, 1, 0, 0, 0]]);
  });

  test('that are moved are labelled, that are removed are not', () => {
    const labelled = moved(points, { ring: 0, vertex: 2 }, 7, 8, SIZE);
    expect(shapeNumbers(labelled)[0]!.slice(6)).toEqual([7, 8, 2]);
    expect(removed(points, { ring: 0, vertex: 0 }).visibility).toEqual([0, 1, 0]);
    const last = removed(removed(points, { ring: 0, vertex: 0 }), { ring: 0, vertex: 1 });
    expect(last.visibility).toEqual([0, 1, 0]);
  });
});
