/** Draws the visible part of a confusion matrix, so that a thousand concepts are as quick as five. */

export interface ConfusionCell {
  annotated: number;
  predicted: number;
  number: number;
}

export interface MatrixView {
  width: number;
  height: number;
  /** Width of the row labels and height of the column labels, in px. */
  head: number;
  /** Side of a cell, in px. */
  side: number;
  /** Scroll position, in px. */
  top: number;
  left: number;
  /** Concepts in the order they are drawn in. */
  order: readonly number[];
  label: (concept: number) => string;
  /** By row * order.length + column. */
  cells: ReadonlyMap<number, ConfusionCell>;
  /** Annotations of each concept, on which its row is shaded: rare concepts are as plain as common ones. */
  rowTotals: ReadonlyMap<number, number>;
  /** The concept that stands for "none". */
  none: number;
  chosen: number | null;
  hovered: { row: number | undefined; column: number | undefined };
  /** The cell with the keyboard focus. */
  focus: { row: number; column: number } | null;
}

interface Range {
  start: number;
  end: number;
}

const COLOURS = ['text', 'quiet', 'line', 'matched', 'missing', 'extra', 'accent'] as const;
type Colours = Record<(typeof COLOURS)[number], string>;

export function drawMatrix(canvas: HTMLCanvasElement, view: MatrixView): void {
  const ratio = devicePixelRatio || 1;
  canvas.width = view.width * ratio;
  canvas.height = view.height * ratio;
  const pen = canvas.getContext('2d')!;
  const style = getComputedStyle(canvas);
  const colours = Object.fromEntries(
    COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`)]),
  ) as Colours;
  pen.scale(ratio, ratio);
  pen.font = `${Math.min(12, Math.max(9, view.side - 6))}px system-ui, sans-serif`;
  const rows = visibleRange(view.top, view.height, view);
  const columns = visibleRange(view.left, view.width, view);
  drawCells(pen, colours, view, rows, columns);
  if (view.side >= 11) {
    drawRowLabels(pen, colours, view, rows);
    drawColumnLabels(pen, colours, view, columns);
  }
  pen.fillStyle = colours.quiet;
  pen.textAlign = 'left';
  pen.font = '11px system-ui, sans-serif';
  pen.fillText('annotated ↓', 4, view.head - 22);
  pen.fillText('predicted →', 4, view.head - 6);
}

export function visibleRange(
  offset: number,
  length: number,
  { side, order }: Pick<MatrixView, 'side' | 'order'>,
): Range {
  const start = Math.floor(offset / side);
  return { start, end: Math.min(order.length, start + Math.ceil(length / side) + 1) };
}

function drawCells(
  pen: CanvasRenderingContext2D,
  colours: Colours,
  view: MatrixView,
  rows: Range,
  columns: Range,
): void {
  const { head, side, left, top, order, focus } = view;
  pen.save();
  clip(pen, head, head, view.width - head, view.height - head);
  for (let row = rows.start; row < rows.end; row++) {
    for (let column = columns.start; column < columns.end; column++) {
      const x = head + column * side - left;
      const y = head + row * side - top;
      const cell = view.cells.get(row * order.length + column);
      if (cell) drawCell(pen, colours, view, cell, x, y);
      else if (side >= 8) drawEmptyCell(pen, colours, side, x, y);
      if (focus && row === focus.row && column === focus.column) {
        pen.strokeStyle = colours.accent;
        pen.lineWidth = 2;
        pen.strokeRect(x, y, side - 1, side - 1);
        pen.lineWidth = 1;
      }
    }
  }
  pen.restore();
}

function drawCell(
  pen: CanvasRenderingContext2D,
  colours: Colours,
  { side, none, rowTotals }: MatrixView,
  cell: ConfusionCell,
  x: number,
  y: number,
): void {
  const outcome =
    cell.annotated === cell.predicted ? 'matched' : cell.predicted === none ? 'extra' : 'missing';
  const total = Math.max(1, rowTotals.get(cell.annotated) ?? 1);
  pen.fillStyle = colours[outcome];
  pen.globalAlpha = 0.12 + 0.8 * Math.sqrt(cell.number / total);
  pen.fillRect(x, y, side - 1, side - 1);
  pen.globalAlpha = 1;
  if (side < 24 && (side < 18 || cell.number >= 100)) return;
  pen.fillStyle = colours.text;
  pen.textAlign = 'center';
  const text = cell.number >= 10_000 ? `${Math.round(cell.number / 1000)}k` : String(cell.number);
  pen.fillText(text, x + side / 2 - 0.5, y + side / 2 + 4);
}

function drawEmptyCell(
  pen: CanvasRenderingContext2D,
  colours: Colours,
  side: number,
  x: number,
  y: number,
): void {
  pen.strokeStyle = colours.line;
  pen.globalAlpha = 0.5;
  pen.strokeRect(x + 0.5, y + 0.5, side - 2, side - 2);
  pen.globalAlpha = 1;
}

function drawRowLabels(
  pen: CanvasRenderingContext2D,
  colours: Colours,
  view: MatrixView,
  rows: Range,
): void {
  const { head, side, top, order } = view;
  pen.save();
  clip(pen, 0, head, head, view.height);
  pen.textAlign = 'right';
  for (let row = rows.start; row < rows.end; row++) {
    pen.fillStyle = labelColour(colours, order[row] === view.chosen, row === view.hovered.row);
    pen.fillText(view.label(order[row]!), head - 6, head + row * side - top + side / 2 + 4);
  }
  pen.restore();
}

function drawColumnLabels(
  pen: CanvasRenderingContext2D,
  colours: Colours,
  view: MatrixView,
  columns: Range,
): void {
  const { head, side, left, order } = view;
  pen.save();
  clip(pen, head, 0, view.width, head);
  pen.textAlign = 'left';
  for (let column = columns.start; column < columns.end; column++) {
    pen.save();
    pen.translate(head + column * side - left + side / 2 + 4, head - 6);
    pen.rotate(-Math.PI / 2);
    const isHovered = column === view.hovered.column;
    pen.fillStyle = labelColour(colours, order[column] === view.chosen, isHovered);
    pen.fillText(view.label(order[column]!), 0, 0);
    pen.restore();
  }
  pen.restore();
}

const labelColour = (colours: Colours, isChosen: boolean, isHovered: boolean): string =>
  isChosen ? colours.accent : isHovered ? colours.text : colours.quiet;

function clip(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
}
