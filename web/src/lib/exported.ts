/** An exported page: it holds the answers of the server and sends no requests. */

interface ExportedPage {
  /** Answers by address; see `keyOf`. */
  answers: Record<string, unknown>;
  /** How many items of a list are there, by the address of its first page. */
  lengths: Record<string, number>;
  /** Pictures by address and frame: data, or the name of a file beside the page. */
  pictures: Record<string, string>;
  /** The two versions that were compared, if any were. */
  compared: [string, string] | null;
}

const ANSWERED_BY = new Set(['tab', 'split', 'concept', 'only', 'offset']);
const ABSENT =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="#8a8f98" fill-opacity=".18"/></svg>',
  );

export const exportedPage = ((): ExportedPage | null => {
  const text =
    typeof document === 'undefined' ? null : document.getElementById('kept')?.textContent;
  return text ? (JSON.parse(text) as ExportedPage) : null;
})();

/** Thresholds, orders and the like are as they were exported; what else is asked tells the answers apart. */
export function keyOf(path: string, query: readonly (readonly [string, string])[]): string {
  return `${path}?${query
    .filter(([name]) => ANSWERED_BY.has(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&')}`;
}

export const exportedResponse = (
  path: string,
  query: readonly (readonly [string, string])[],
): unknown => exportedPage?.answers[keyOf(path, query)];

/** Whether an exported page has the whole picture, which it may have left out. */
export const hasExportedImage = (address: string): boolean =>
  exportedPage === null || exportedPage.pictures[address] !== undefined;

export const exportedImage = (address: string, frame: readonly number[] | null): string =>
  exportedPage?.pictures[frame ? `${address}&${frame.join(',')}` : address] ?? ABSENT;
