/** The items of the tab being looked at, a page at a time, visible first. */
import { readPage, type PageItem, type Query } from '../api';

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
  failure = $state<string | null>(null);

  /** Look at another list, or at the same with other thresholds: then what is held stays until it is replaced. */
  look(query: Query): void {
    if (this.query && sameList(this.query, query)) {
      if (this.query.at === query.at) return;
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
    this.arrivals++;
  }

  item(index: number): PageItem | undefined {
    void this.arrivals;
    return this.held.get(Math.floor(index / PAGE))?.items[index % PAGE];
  }

  /** Say what is on the screen. */
  want(start: number, end: number): void {
    const first = Math.floor(start / PAGE);
    const last = Math.floor(Math.max(start, end - 1) / PAGE);
    this.wanted = [];
    for (let page = first; page <= last; page++) this.wanted.push(page);
    this.pump();
  }

  private fresh(page: number): boolean {
    const held = this.held.get(page);
    return held !== undefined && held.query === this.query;
  }

  private pump(): void {
    const query = this.query;
    if (!query) return;
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
      if (!this.query || !sameList(query, this.query)) return;
      this.held.delete(page);
      this.held.set(page, { items: answer.items, query });
      this.trim();
      this.failure = null;
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
  one.view === other.view && one.version === other.version && one.tab === other.tab && one.split === other.split &&
  one.concept === other.concept && one.reverse === other.reverse;
