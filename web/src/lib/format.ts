/** Numbers as the page writes them. */
const whole = new Intl.NumberFormat('en-US');

export const count = (value: number): string => whole.format(value);

/** A number from 0 to 1, without its leading zero: `.93`. */
export const fraction = (value: number, decimals: number): string =>
  value.toFixed(decimals).replace(/^(-?)0\./, '$1.');

/** A sentence of the server with its fractions as the page writes them: `.271` for `0.271`. */
export const plainFractions = (text: string): string => text.replace(/(?<![\d.])0\.(?=\d)/g, '.');

export const share = (part: number, all: number): string =>
  all > 0 ? fraction(part / all, 2) : '–';

/** A score or threshold: three decimals, more where these would say 0 or 1 falsely, or for scores of another scale. */
export function score(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (size >= 1000) return value.toPrecision(5);
  const short = value.toFixed(3);
  if ((short === '0.000' || short === '-0.000') && value !== 0) return value.toExponential(1);
  if (short === '1.000' && value < 1)
    return value.toFixed(5) === '1.00000' ? '.99999' : fraction(value, 5);
  return fraction(value, 3);
}

/** A p-value: small ones as a power of ten. */
export const probability = (value: number): string =>
  value < 0.001 ? value.toExponential(0) : value.toFixed(3);

/** How far the reading of pictures is; how many there are is not known at first. */
export const readingText = ({ read, of }: { read: number; of: number }): string =>
  of ? `Reading pictures: ${count(read)} of ${count(of)}.` : 'Reading pictures…';

/** An overlap, cut off after some decimals: one below the version's minimum does not read as if it reached it. */
export const overlap = (value: number, decimals = 2): string =>
  fraction(Math.floor(value * 10 ** decimals + 1e-9) / 10 ** decimals, decimals);
