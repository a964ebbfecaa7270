/** Deciding on items: what is asked of the server, what is taken back, and what others decide meanwhile. */
import * as api from './api';
import { count } from './format';
import type { Gallery } from './gallery.svelte';
import { latest } from './latest';

export interface Change {
  concept?: string;
  box?: api.Box;
  value?: 'positive' | 'negative' | 'unknown';
  replaces?: boolean;
}

interface Act {
  /** By what the server knows it again, if it was kept after all. */
  batch: string;
  items: number;
  send: () => Promise<api.ActDocument>;
}

const NAME = 'pellucid-name';
const BETWEEN = 3000;
const AT_ONCE = 10;
const MOST = 1000;
const QUICK = 300;
const RESTS = 5;
const short = () => crypto.randomUUID().replaceAll('-', '');

const DONE: Record<api.HistoryRow['action'], string> = {
  add: 'added', remove: 'removed', change: 'changed', confirm: 'annotation is right', unsure: 'unsure, comes back at the end', comment: 'comment kept',
  revert: 'taken back', undo: 'taken back', redo: 'brought back', reset: 'another round: nothing counts as reviewed',
};

export class Reviewing {
  who = $state(localStorage.getItem(NAME) ?? '');
  /** The name is asked for; what waits for it. */
  asking = $state.raw<(() => void) | null>(null);
  progress = $state.raw<api.ProgressDocument | null>(null);
  effect = $state.raw<api.EffectDocument | null>(null);
  /** Acts that did not reach the server, in their order: they wait until they are sent again, or left. */
  lost = $state.raw<readonly Act[]>([]);
  /** Why the last act was refused. */
  refused = $state('');
  waiting = $state(0);
  queueing = $state(false);
  private readonly session = short();
  private places: { batch: string; list: string; item: number }[] = [];
  /** Requests go one after the other, so that they are kept in the order they were taken. */
  private line: Promise<void> = Promise.resolve();
  private taking = false;
  private effectAt = -1;
  /** When the effect may be asked for again: on tens of millions of predictions it takes the server seconds. */
  private effectDue = 0;

  constructor(
    private readonly gallery: Gallery,
    private readonly say: (words: string, long?: boolean) => void,
  ) {
    addEventListener('pagehide', () => this.queueing && api.endQueue(this.gallery.view, this.session));
    setInterval(() => document.visibilityState === 'visible' && this.look(), BETWEEN);
  }

  private get head(): number {
    return this.progress?.head ?? this.gallery.figures?.head ?? 0;
  }

  /** A name is given once, and kept by the browser. */
  named(then: () => void): void {
    if (this.who || this.progress?.me) then();
    else this.asking = then;
  }

  name(who: string): void {
    const then = this.asking;
    this.who = who.trim();
    localStorage.setItem(NAME, this.who);
    this.asking = null;
    if (this.who) then?.();
  }

  /** What a key or a button is about: in the viewer its item; in the wall the selected items, else the one under the cursor. */
  private get about(): number[] {
    const { gallery } = this;
    if (gallery.open) return gallery.total ? [gallery.item] : [];
    return gallery.selected.size ? [...gallery.selected].sort((one, other) => one - other).slice(0, MOST) : gallery.total ? [gallery.item] : [];
  }

  decide(verdict: api.Verdict, change: Change = {}): void {
    this.named(() => void this.decided(verdict, change));
  }

  private get me(): string {
    return this.who || (this.progress?.me ?? '');
  }

  private async decided(verdict: api.Verdict, change: Change): Promise<void> {
    const { gallery } = this;
    const places = this.about;
    if (!places.every((place) => gallery.itemAt(place))) await this.line; // nothing is read while a decision is on its way
    const items = gallery.handed ? places.flatMap((place) => gallery.itemAt(place) ?? []) : await gallery.pages.all(places);
    if (!items.length) return;
    if (items.length < places.length) return this.say('Not all of these items could be read: choose them again');
    const batch = short();
    this.places.push({ batch, list: this.list, item: gallery.item });
    const which = gallery.which;
    const asked: api.DecisionAsked = {
      items: items.map((item) => this.seen(item)), verdict, who: this.me, batch, seen: this.head, reason: '',
      corrected: gallery.corrected, concept: change.concept ?? null, box: change.box ?? null, value: change.value ?? null,
      replaces: change.replaces ?? false,
    };
    this.leave(places, items);
    void this.act({ batch, items: items.length, send: () => api.decide(which, asked) });
    if (gallery.handed) void this.take(items.map((item) => this.seen(item)));
  }

  /** Send an act when those before it are kept. */
  private act(act: Act): Promise<void> {
    this.gallery.pending++;
    this.gallery.pages.unsettle();
    this.line = this.line.then(() => this.send(act));
    return this.line;
  }

  /** Items that are decided on leave the list at once, and the next one comes up. */
  private leave(places: readonly number[], items: readonly api.PageItem[]): void {
    const { gallery } = this;
    const first = places[0] ?? 0;
    gallery.selected = new Set();
    if (gallery.handed) {
      const done = new Set(items);
      gallery.handed = gallery.handed.filter((one) => !done.has(one));
      gallery.item = Math.max(0, Math.min(first, gallery.handed.length - 1));
      return;
    }
    if (gallery.review !== 'new') {
      gallery.item = Math.min(Math.max(0, gallery.total - 1), (places.at(-1) ?? 0) + 1);
      return;
    }
    gallery.left += places.length;
    gallery.pages.remove(places);
    gallery.item = Math.max(0, Math.min(first, gallery.total - 1));
  }

  seen(item: api.PageItem): api.ItemSeen {
    const name = this.gallery.version?.concepts[item.concept] ?? '';
    return { image: item.path, concept: name, side: item.outcome === 'extra' ? 'annotated' : 'predicted', box: item.box, score: item.score };
  }

  private async send(act: Act): Promise<void> {
    const { gallery } = this;
    try {
      const done = await act.send();
      if (this.progress) this.progress = { ...this.progress, head: done.head };
      const [row] = done.rows;
      if (done.conflicts.length) {
        const [other] = done.conflicts;
        this.say(`${other!.who} decided on it just before you (${DONE[other!.action]}): yours, the later one, stands`, true);
      } else {
        const about = row?.image ? ` ${row.concept} on ${row.image}` : '';
        const back = row?.action === 'undo' ? 'Z brings it back' : 'z takes it back';
        this.say(row ? `${act.items > 1 ? `${count(act.items)} items: ` : ''}${DONE[row.action]}${row.reverts === null ? '' : about} · ${back}` : 'Nothing to take back');
      }
      this.refused = '';
    } catch (error) {
      this.places = this.places.filter((place) => place.batch !== act.batch);
      this.say('');
      if (error instanceof api.Refused && error.status < 500) this.refused = error.message;
      else this.lost = [...this.lost, act];
    } finally {
      gallery.pending--;
      if (!gallery.pending) {
        gallery.edition++;
        gallery.pages.settled();
        this.look();
      }
    }
  }

  /** Once more, under the same names: what was kept after all is not kept twice. */
  sendAgain(): void {
    const acts = this.lost;
    this.lost = [];
    for (const act of acts) void this.act(act);
  }

  /** Undo or redo of one's own last act, with the cursor where it was. */
  takeBack(way: 'undo' | 'redo'): void {
    this.named(() => {
      const { gallery } = this;
      const { view } = gallery;
      const [batch, who] = [short(), this.me];
      void this.act({ batch, items: 1, send: () => api.takeBack(view, way, who, batch) }).then(() => {
        if (gallery.handed) void this.take([]);
        const place = way === 'undo' ? this.places.pop() : undefined;
        if (place && place.list === this.list && !gallery.handed) gallery.item = place.item;
      });
    });
  }

  comment(text: string): void {
    const item = this.gallery.itemAt(this.gallery.item);
    if (!item || !text.trim()) return;
    this.named(() => this.remark((who) => api.comment(this.gallery.which, this.seen(item), who, text.trim(), this.gallery.corrected)));
  }

  revert(row: number, then: () => void): void {
    this.named(() => this.remark((who) => api.revert(this.gallery.view, row, who), then));
  }

  reset(then: () => void): void {
    this.named(() => this.remark((who) => api.reset(this.gallery.view, who), then));
  }

  /** An act that moves nobody: undoing it leaves the cursor where it is. */
  private remark(send: (who: string) => Promise<api.ActDocument>, then?: () => void): void {
    const [batch, who] = [short(), this.me];
    this.places.push({ batch, list: '', item: 0 });
    void this.act({ batch, items: 1, send: () => send(who) }).then(then);
  }

  private get list(): string {
    const { view, versionName, tab, split, concept, order, review, reverse, corrected } = this.gallery;
    return [view, versionName, tab, split, concept, order, review, reverse, corrected].join('\n');
  }

  /** Look what others did; the effect of the corrections follows. */
  readonly look = latest(async () => {
    const { gallery } = this;
    if (!gallery.view || !gallery.version || gallery.isExported) return;
    const before = this.progress;
    try {
      const view = gallery.view;
      const found = await api.readProgress(view, before?.head ?? 0, this.who, this.queueing ? this.session : '');
      if (view !== gallery.view) return;
      this.progress = found;
      if (found.head > (gallery.figures?.head ?? 0) && !gallery.pending) gallery.edition++;
      if (before && found.head > before.head) void this.take([]); // others decided: fewer are left
      if (before && found.contradicted.length) {
        const [row] = found.contradicted;
        const more = found.contradicted.length - 1;
        this.say(`${row!.who} decided after you on ${row!.image} (${row!.concept}: ${DONE[row!.action]})${more ? ` and ${more} more` : ''}: theirs stands`, true);
      }
      if ((found.head !== this.effectAt || !this.effect) && performance.now() > this.effectDue) {
        const begun = performance.now();
        this.effect = await api.readEffect(gallery.which, gallery.split);
        this.effectAt = found.head;
        this.effectDue = performance.now() + RESTS * (performance.now() - begun - QUICK);
      }
    } catch {
      return; // the page says elsewhere when the server is gone
    }
  });

  /** Another view, version or split: what is known of the former one is void. */
  elsewhere(): void {
    if (this.queueing) this.leaveQueue();
    this.progress = null;
    this.effect = null;
    this.look();
  }

  /** Review together: items come one by one, each to one reviewer. */
  queue(): void {
    if (this.queueing) return this.leaveQueue();
    this.named(() => {
      this.queueing = true;
      this.gallery.selected = new Set();
      this.gallery.handed = [];
      this.gallery.item = 0;
      void this.take([]).then(() => (this.gallery.open = this.gallery.total > 0));
    });
  }

  leaveQueue(): void {
    this.queueing = false;
    this.gallery.handed = null;
    this.gallery.open = false;
    this.gallery.item = 0;
    api.endQueue(this.gallery.view, this.session);
  }

  private async take(done: api.ItemSeen[]): Promise<void> {
    const { gallery } = this;
    if (!gallery.handed || !this.queueing || (this.taking && !done.length)) return;
    this.taking = true;
    await this.line; // what was decided must be kept before it is given back
    try {
      const answer = await api.takeFromQueue(gallery.which, {
        session: this.session, who: this.me, tab: gallery.tab, split: gallery.split, concept: gallery.concept,
        order: gallery.order, at: [...gallery.at].map(([concept, value]) => `${concept}:${value}`), corrected: gallery.corrected,
        take: Math.max(0, AT_ONCE - (gallery.handed?.length ?? AT_ONCE)), give_back: done,
      });
      if (gallery.handed) gallery.handed = [...gallery.handed, ...answer.items];
      this.waiting = answer.left;
      if (gallery.handed?.length === 0) this.say(answer.left ? `Nothing free: the last ${count(answer.left)} are with others` : 'Nothing is left to review here', true);
    } catch (error) {
      gallery.failure = error instanceof api.Refused ? error.message : 'The server does not answer. Is pellucid still running?';
    } finally {
      this.taking = false;
    }
  }
}
