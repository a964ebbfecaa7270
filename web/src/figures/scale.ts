/** Numbers to places on a plot, and back; the numbers worth writing beside an axis; tables as CSV. */

export interface Scale {
  (value: number): number;
  invert(place: number): number;
  ticks: readonly number[];
}

/** From `low`..`high` to `from`..`to`, in a straight line. */
export function linear(low: number, high: number, from: number, to: number, wanted = 5): Scale {
  const span = high - low || 1;
  const scale = ((value: number) => from + ((value - low) / span) * (to - from)) as Scale;
  scale.invert = (place) => low + ((place - from) / (to - from || 1)) * span;
  scale.ticks = ticks(low, low + span, wanted);
  return scale;
}

/** Round numbers, about as many as wanted. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step =
    [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough * 0.999) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) =>
    Number(((first + place) * step).toPrecision(12)),
  );
}

/** An SVG path through the points that are known; gaps where they are not. */
export function path(
  xs: readonly number[],
  ys: readonly (number | null)[],
  x: Scale,
  y: Scale,
): string {
  let words = '';
  let pen = false;
  xs.forEach((at, place) => {
    const value = ys[place];
    if (value === null || value === undefined) {
      pen = false;
      return;
    }
    words += `${pen ? 'L' : 'M'}${x(at).toFixed(1)},${y(value).toFixed(1)}`;
    pen = true;
  });
  return words;
}

export type Cell = string | number | null | undefined;
export interface Table {
  headings: readonly string[];
  rows: readonly (readonly Cell[])[];
}

export function asCsv({ headings, rows }: Table): string {
  const cell = (value: Cell): string => {
    const words = value === null || value === undefined ? '' : String(value);
    return /[",\n\r]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
  };
  return [headings, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

/** Hand a file to the reader. */
export function save(name: string, kind: string, content: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const DRAWN = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'opacity',
  'fill-opacity',
  'font-size',
  'font-family',
  'font-weight',
  'text-anchor',
];

/** A drawing as a file of its own, in the colours it has on the page. */
export function asSvg(drawing: SVGSVGElement): string {
  const copy = drawing.cloneNode(true) as SVGSVGElement;
  const originals = [drawing, ...drawing.querySelectorAll('*')];
  [copy, ...copy.querySelectorAll('*')].forEach((element, place) => {
    const style = getComputedStyle(originals[place]!);
    for (const name of DRAWN)
      (element as SVGElement).style.setProperty(name, style.getPropertyValue(name));
    element.removeAttribute('class');
  });
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.style.background = getComputedStyle(document.body).backgroundColor;
  return new XMLSerializer().serializeToString(copy);
}
