/** Which row of a page of rows is in focus, and which of its crops. */
import { tick } from 'svelte';
import type { PageItem } from '../lib/api';
import type { Action } from '../lib/shortcuts';
import { CROPS_OPEN, step } from './crops';

/** The row that was left for its items, by page, and the position of the one that was opened: the way back leads to it. */
const left = new Map<string, { key: string; position: number }>();

/** The row in focus, for its keys. */
export interface CurrentRow {
  /** How many rows there are. */
  rows: number;
  /** How many items the row has. */
  crops: number;
  /** The item under the cursor, once it is read. */
  shownItem: PageItem | undefined;
  /** Show the items; open the one at a position in the viewer. */
  show: (position?: number) => void;
}

export class RowCursor {
  row = $state(0);
  crop = $state(0);
  /** The page and the lists that the rows are of. */
  private place = '';
  /** The position of the item that was opened, until the crops of its row are there. */
  private sought: number | null = null;
  /** What scrolls; its articles are the rows. */
  list = $state<HTMLElement>();

  /** Remember where the reader was; `place` names the page and the version, `position` the item in its list. */
  leave(place: string, key: string, position: number): void {
    left.set(place, { key, position });
  }

  /** Back to the row that was left, once it is there; never outside the rows. */
  settle(place: string, keys: readonly string[]): void {
    const last = left.get(place);
    const row = last ? keys.indexOf(last.key) : -1;
    if (place !== this.place) this.crop = 0;
    this.place = place;
    if (last && row >= 0) {
      left.delete(place);
      [this.row, this.crop] = [row, 0];
      this.sought = last.position;
    } else if (this.row >= keys.length) this.row = Math.max(0, keys.length - 1);
  }

  /** Back to the crop that was opened, once the crops of the row are there: they need not be the first of the list. */
  resume(shown: readonly PageItem[]): void {
    if (this.sought === null || !shown.length) return;
    const crop = shown.findIndex((item) => item.position === this.sought);
    this.sought = null;
    if (crop >= 0) this.crop = crop;
  }

  /** Open another row, which stays where it is while the one before it closes. */
  async focus(to: number): Promise<HTMLElement | undefined> {
    const { list } = this;
    const article = list?.querySelectorAll('article').item(to);
    if (to === this.row || !list || !article) return article;
    const top = article.getBoundingClientRect().top;
    this.row = to;
    this.crop = 0;
    this.sought = null;
    await tick();
    list.scrollTop += article.getBoundingClientRect().top - top;
    return article;
  }

  /** Perform a shortcut of rows; false where the action is another one. */
  perform(action: Action, current: CurrentRow): boolean {
    const crops = Math.min(CROPS_OPEN, current.crops);
    if (action === 'row.next') void this.move(1, current.rows);
    else if (action === 'row.previous') void this.move(-1, current.rows);
    else if (action === 'row.cropNext') this.crop = step(this.crop, 1, crops);
    else if (action === 'row.cropPrevious') this.crop = step(this.crop, -1, crops);
    else if (action === 'row.open') current.show(current.shownItem?.position ?? this.crop);
    else if (action === 'row.gallery') current.show();
    else return false;
    return true;
  }

  private async move(by: number, length: number): Promise<void> {
    const article = await this.focus(step(this.row, by, length));
    article?.scrollIntoView({ block: 'nearest', behavior: 'instant' });
  }
}

/** Whether a key is for the rows, and not for a field, a dialog or a button in focus. */
export function isForRows(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (target.closest('input, select, dialog')) return false;
  return !(event.key === 'Enter' && target.closest('button'));
}
