/** The item's box as the reviewer adjusts it, with the pointer or the arrow keys. */
import type { Box, PageItem } from '../lib/api';
import { pulled, type Handle } from './box_edit';

const DIRECTIONS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
/** An arrow key moves the box by about so many pixels of the screen. */
const STEP = 2;

/** Whether it is the same item, though it was read anew meanwhile: what is adjusted is not lost then. */
export const isSameItem = (one: PageItem, other: PageItem | undefined): boolean =>
  one.row === other?.row &&
  one.image === other.image &&
  (one.outcome === 'extra') === (other.outcome === 'extra');

export class BoxDraft {
  private draft = $state.raw<{ item: PageItem; box: Box } | null>(null);
  private keyboardItem = $state.raw<PageItem | null>(null);
  private drag: { handle: Handle; x: number; y: number } | null = null;

  /** item: what the viewer shows. image: its size in pixels. */
  constructor(
    private readonly item: () => PageItem | undefined,
    private readonly image: () => { width: number; height: number },
    /** Pixels of the screen for a pixel of the image. */
    private readonly scale: () => number,
  ) {}

  /** The adjusted box, if the item's box was adjusted. */
  get adjusted(): Box | undefined {
    return this.draft && isSameItem(this.draft.item, this.item()) ? this.draft.box : undefined;
  }

  /** The box to draw. */
  get box(): Box | null {
    return this.adjusted ?? (this.item()?.box as Box | null | undefined) ?? null;
  }

  /** Whether the arrow keys adjust the box. */
  get isKeyboardActive(): boolean {
    return this.keyboardItem !== null && isSameItem(this.keyboardItem, this.item());
  }

  startKeyboard(): void {
    const item = this.item();
    if (item?.box) this.keyboardItem = item;
  }

  discard(): void {
    this.draft = null;
  }

  /** Keys while the arrow keys adjust the box: with Shift its lower right corner. */
  handleKey(event: KeyboardEvent): boolean {
    if (!this.isKeyboardActive) {
      if (event.key !== 'Escape' || !this.adjusted) return false;
      this.discard();
      return true;
    }
    const direction = DIRECTIONS[event.key];
    if (direction) {
      const step = Math.max(1, Math.round(STEP / this.scale()));
      this.pull(event.shiftKey ? 'se' : 'move', direction[0] * step, direction[1] * step);
      return true;
    }
    if (!['Escape', 'Enter', 'g'].includes(event.key)) return false;
    if (event.key === 'Escape') this.discard();
    this.keyboardItem = null;
    return true;
  }

  grab(event: PointerEvent, handle: Handle): void {
    if (event.button !== 0) return;
    event.stopPropagation();
    this.drag = { handle, x: event.clientX, y: event.clientY };
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  }

  move(event: PointerEvent): void {
    if (!this.drag) return;
    event.stopPropagation();
    const { handle, x, y } = this.drag;
    this.pull(handle, (event.clientX - x) / this.scale(), (event.clientY - y) / this.scale());
    this.drag = { handle, x: event.clientX, y: event.clientY };
  }

  release(): void {
    this.drag = null;
  }

  private pull(handle: Handle, x: number, y: number): void {
    const item = this.item();
    if (item && this.box) this.draft = { item, box: pulled(this.box, handle, x, y, this.image()) };
  }
}
