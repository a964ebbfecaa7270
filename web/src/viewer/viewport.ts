/** Zoom and pan of a picture in a window, as pure arithmetic. */

export interface Sight {
  /** Screen pixels for a pixel of the picture. */
  scale: number;
  /** Where the picture's left top stands on the screen. */
  x: number;
  y: number;
}

export interface Sizes {
  width: number;
  height: number;
  screenWidth: number;
  screenHeight: number;
}

const MARGIN = 16;

export function fitted({ width, height, screenWidth, screenHeight }: Sizes): Sight {
  const scale = Math.max(
    1e-6,
    Math.min((screenWidth - MARGIN) / width, (screenHeight - MARGIN) / height),
  );
  return { scale, x: (screenWidth - width * scale) / 2, y: (screenHeight - height * scale) / 2 };
}

/** Zoom by a factor about a point of the screen, which stays where it is. */
export function zoomed(sight: Sight, factor: number, x: number, y: number, sizes: Sizes): Sight {
  const least = fitted(sizes).scale * 0.5;
  const scale = Math.min(40, Math.max(least, sight.scale * factor));
  const ratio = scale / sight.scale;
  return { scale, x: x - (x - sight.x) * ratio, y: y - (y - sight.y) * ratio };
}

/** A polygon `x, y, x, y, ...` of the picture as an SVG element's points on the screen. */
export function traced(polygon: readonly number[], sight: Sight): string {
  const points = [];
  for (let at = 0; at + 1 < polygon.length; at += 2)
    points.push(
      `${sight.x + polygon[at]! * sight.scale},${sight.y + polygon[at + 1]! * sight.scale}`,
    );
  return points.join(' ');
}
