/** The items of the tab being looked at, a page at a time, visible first. */
import { readPage, type PageItem, type Query } from '../lib/api';

const PAGE = 100;
const KEPT = 60;
const AT_ONCE = 2;

interface Held {
  items: PageItem[];
  /** The exact query it answers; an older one is shown until the new answer is there. */
  query: Query;
}

export class Pages {
  /** Raised whenever something arrived, so that readers of `item` look again. */
  private arrivals = $state(0);
  private held = new Map<number, Held>();
  private query: Query | null = null;
  private wanted: number[] = [];
  private asked = new Map<number, Query>();
  private stop = new AbortController();
  /** False while a decision is on its way: what is read meanwhile may be of before or after it. */
  private whole = true;
  failure = $state<string | null>(null);
  /** Of the list: the first item below its threshold, if the order has such a place. */
  thresholdPosition = $state<number | null>(null);
  /** Of the list: its length when it was read last. */
  total = $state<number | null>(null);

  /** Look at another list, or at the same with other thresholds: then what is held stays until it is replaced. */
  look(query: Query): void {
    if (this.query && sameList(this.query, query)) {
      if (this.query.at === query.at && this.query.revision === query.revision) return;
    } else {
      this.forget();
    }
    this.query = query;
    this.pump();
  }

  /** Let go of everything; what is still on its way is not waited for. */
  forget(): void {
    this.stop.abort();
    this.stop = new AbortController();
    this.asked.clear();
    this.held.clear();
    this.query = null;
    this.thresholdPosition = null;
    this.total = null;
    this.arrivals++;
  }

  item(index: number): PageItem | undefined {
    void this.arrivals;
    return this.held.get(Math.floor(index / PAGE))?.items[index % PAGE];
  }

  /** Mark items as decided on until the server's answer is read. */
  stamp(indices: readonly number[], review: (item: PageItem) => PageItem['review']): void {
    for (const index of indices) {
      const held = this.held.get(Math.floor(index / PAGE));
      const item = held?.items[index % PAGE];
      if (held && item) held.items[index % PAGE] = { ...item, review: review(item) };
    }
    this.arrivals++;
  }

  /** Take items out at once; those after them move up, and the pages are read anew when the decision is kept. */
  remove(indices: readonly number[]): void {
    const gone = new Set(indices);
    const pages = [...this.held.keys()].sort((one, other) => one - other);
    const next = new Map<number, Held>();
    for (let run = 0; run < pages.length;) {
      let end = run + 1;
      while (end < pages.length && pages[end] === pages[end - 1]! + 1) end++;
      const first = pages[run]!;
      const before = indices.filter((index) => index < first * PAGE).length;
      const items = pages
        .slice(run, end)
        .flatMap((page) => this.held.get(page)!.items)
        .filter((_, place) => !gone.has(first * PAGE + place));
      if (!before)
        for (let page = 0; page * PAGE < items.length; page++)
          next.set(first + page, {
            items: items.slice(page * PAGE, (page + 1) * PAGE),
            query: this.held.get(pages[run]!)!.query,
          });
      run = end;
    }
    this.held = next;
    this.arrivals++;
  }

  /** Items wherever they are in the list, read if need be. */
  async all(indices: readonly number[]): Promise<PageItem[]> {
    const query = this.query;
    if (!query) return [];
    for (const page of new Set(indices.map((index) => Math.floor(index / PAGE)))) {
      if (!this.held.has(page)) await this.fetch(page, query, this.stop.signal);
    }
    return indices.flatMap((index) => this.item(index) ?? []);
  }

  /** Say what is on the screen. */
  want(start: number, end: number): void {
    const first = Math.floor(start / PAGE);
    const last = Math.floor(Math.max(start, end - 1) / PAGE);
    this.wanted = [];
    for (let page = first; page <= last; page++) this.wanted.push(page);
    this.pump();
  }

  /** Read nothing until `settled`. */
  unsettle(): void {
    this.whole = false;
  }

  settled(): void {
    this.whole = true;
    this.pump();
  }

  private fresh(page: number): boolean {
    const held = this.held.get(page);
    return held !== undefined && held.query === this.query && this.whole;
  }

  private pump(): void {
    const query = this.query;
    if (!query || !this.whole) return;
    for (const page of this.wanted) {
      if (this.asked.size >= AT_ONCE) return;
      if (!this.fresh(page) && !this.asked.has(page)) {
        this.asked.set(page, query);
        void this.fetch(page, query, this.stop.signal).finally(() => {
          if (this.asked.get(page) === query) this.asked.delete(page);
          this.pump();
        });
      }
    }
  }

  private async fetch(page: number, query: Query, signal: AbortSignal): Promise<void> {
    try {
      const answer = await readPage(query, page * PAGE, PAGE, signal);
      if (
        !this.query ||
        !sameList(query, this.query) ||
        query.revision !== this.query.revision ||
        !this.whole
      )
        return;
      this.held.delete(page);
      this.held.set(page, { items: answer.items, query });
      this.trim();
      this.failure = null;
      this.thresholdPosition = answer.threshold_position;
      this.total = answer.total;
      this.arrivals++;
    } catch (error) {
      if (signal.aborted) return;
      this.failure = error instanceof Error ? error.message : String(error);
      this.wanted = this.wanted.filter((other) => other !== page);
    }
  }

  private trim(): void {
    for (const page of this.held.keys()) {
      if (this.held.size <= KEPT) return;
      if (!this.wanted.includes(page)) this.held.delete(page);
    }
  }
}

const sameList = (one: Query, other: Query): boolean =>
  one.view === other.view &&
  one.version === other.version &&
  one.tab === other.tab &&
  one.split === other.split &&
  one.concept === other.concept &&
  one.reverse === other.reverse &&
  one.order === other.order &&
  one.review === other.review &&
  one.corrected === other.corrected &&
  one.only.join('\n') === other.only.join('\n');
