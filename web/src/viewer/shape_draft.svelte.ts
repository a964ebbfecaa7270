/** The item's outline, corners or keypoints as the reviewer adjusts them, with the pointer or with keys. */
import type { PageItem } from '../lib/api';
import { isSameItem } from './box_draft.svelte';
import {
  inserted,
  moved,
  parseShape,
  removed,
  shapeNumbers,
  stepped,
  type Place,
  type Shape,
} from './shape_edit';

const DIRECTIONS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
/** An arrow key moves a vertex by about so many pixels of the screen. */
const STEP = 2;
/** An outline is simplified to about so many pixels of the screen. */
const TOLERANCE = 1.5;

export class ShapeDraft {
  private draft = $state.raw<{ item: PageItem; shape: Shape; isChanged: boolean } | null>(null);
  /** The vertex that keys are about. */
  place = $state.raw<Place>({ ring: 0, vertex: 0 });
  private drag: { x: number; y: number } | null = null;

  /** item: what the viewer shows. image: its size in pixels. */
  constructor(
    private readonly item: () => PageItem | undefined,
    private readonly image: () => { width: number; height: number },
    /** Pixels of the screen for a pixel of the image. */
    private readonly scale: () => number,
  ) {}

  /** The shape that is adjusted; null while none is. */
  get shape(): Shape | null {
    return this.draft && isSameItem(this.draft.item, this.item()) ? this.draft.shape : null;
  }

  /** The numbers to save, where anything was changed. */
  get adjusted(): number[][] | undefined {
    return this.shape && this.draft?.isChanged ? shapeNumbers(this.shape) : undefined;
  }

  start(): void {
    const item = this.item();
    if (!item?.mask) return;
    const shape = parseShape(item.mask, Math.max(0.75, TOLERANCE / this.scale()));
    this.place = { ring: 0, vertex: 0 };
    this.draft = shape.rings.length ? { item, shape, isChanged: false } : null;
  }

  discard(): void {
    this.draft = null;
  }

  isCurrent = ({ ring, vertex }: Place): boolean =>
    ring === this.place.ring && vertex === this.place.vertex;

  handleKey(event: KeyboardEvent): boolean {
    const { shape } = this;
    if (!shape) return false;
    const direction = DIRECTIONS[event.key];
    if (direction) {
      const step = Math.max(0.5, STEP / this.scale()) * (event.shiftKey ? 5 : 1);
      this.pull(direction[0] * step, direction[1] * step);
      return true;
    }
    this.keys[event.key]?.(shape);
    return event.key in this.keys;
  }

  private readonly keys: Record<string, (shape: Shape) => void> = {
    ']': (shape) => (this.place = stepped(shape, this.place, 1)),
    '[': (shape) => (this.place = stepped(shape, this.place, -1)),
    Delete: () => this.remove(this.place),
    Backspace: () => this.remove(this.place),
    Insert: (shape) => !shape.visibility.length && this.insert(this.place),
    Escape: () => this.discard(),
    g: () => this.endUnchanged(),
    Enter: () => this.endUnchanged(),
  };

  /** What was changed stays until it is kept or discarded. */
  private endUnchanged(): void {
    if (!this.draft?.isChanged) this.discard();
  }

  grab(event: PointerEvent, place: Place): void {
    if (event.button !== 0) return;
    event.stopPropagation();
    this.place = place;
    this.drag = { x: event.clientX, y: event.clientY };
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  }

  move(event: PointerEvent): void {
    if (!this.drag) return;
    event.stopPropagation();
    this.pull(
      (event.clientX - this.drag.x) / this.scale(),
      (event.clientY - this.drag.y) / this.scale(),
    );
    this.drag = { x: event.clientX, y: event.clientY };
  }

  release(): void {
    this.drag = null;
  }

  /** A vertex in the middle of the line behind another one. */
  insert(place: Place): void {
    this.change((shape) => inserted(shape, place));
    this.place = { ring: place.ring, vertex: place.vertex + 1 };
  }

  remove(place: Place): void {
    this.change((shape) => removed(shape, place));
    const { shape } = this;
    const length = shape?.rings[this.place.ring]?.length ?? 0;
    if (this.place.vertex >= length) this.place = { ring: 0, vertex: 0 };
  }

  private pull(x: number, y: number): void {
    this.change((shape) => moved(shape, this.place, x, y, this.image()));
  }

  private change(edit: (shape: Shape) => Shape): void {
    const item = this.item();
    const { shape } = this;
    if (!item || !shape) return;
    const edited = edit(shape);
    if (edited !== shape) this.draft = { item, shape: edited, isChanged: true };
  }
}
