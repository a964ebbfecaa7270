/** Adjusting a box by its corners, in pixels of the picture, as pure arithmetic. */
import type { Box } from '../lib/api';

export type Handle = 'nw' | 'ne' | 'sw' | 'se' | 'move';

const LEAST = 1;

/** The box with a handle pulled by (x, y); it stays within the picture and keeps an area. */
export function pulled(
  [left, top, width, height]: Box,
  handle: Handle,
  x: number,
  y: number,
  picture: { width: number; height: number },
): Box {
  if (handle === 'move') {
    return [
      clamp(left + x, 0, picture.width - width),
      clamp(top + y, 0, picture.height - height),
      width,
      height,
    ];
  }
  let right = left + width;
  let bottom = top + height;
  if (handle.endsWith('w')) left = clamp(left + x, 0, right - LEAST);
  else right = clamp(right + x, left + LEAST, picture.width);
  if (handle.startsWith('n')) top = clamp(top + y, 0, bottom - LEAST);
  else bottom = clamp(bottom + y, top + LEAST, picture.height);
  return [left, top, right - left, bottom - top];
}

/** The box between two corners, within the picture; null where it has no area to speak of. */
export function drawn(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  picture: { width: number; height: number },
): Box | null {
  const [left, right] = [
    clamp(Math.min(x1, x2), 0, picture.width),
    clamp(Math.max(x1, x2), 0, picture.width),
  ];
  const [top, bottom] = [
    clamp(Math.min(y1, y2), 0, picture.height),
    clamp(Math.max(y1, y2), 0, picture.height),
  ];
  return right - left < LEAST || bottom - top < LEAST
    ? null
    : [left, top, right - left, bottom - top];
}

const clamp = (value: number, low: number, high: number) =>
  Math.max(low, Math.min(Math.max(low, high), value));
