/** Deciding on items: what is asked of the server, what is taken back, and what others decide meanwhile. */
import * as api from '../lib/api';
import { count } from '../lib/format';
import type { Gallery } from './gallery.svelte';
import { decidedText } from '../lib/labels';
import { latest } from '../lib/latest';
import { errorMessage } from '../lib/poll';
import { verbsOf, type Verbs } from '../review/verbs';
import { Outbox, type Act } from './outbox.svelte';
import { ReviewQueue } from './queue.svelte';

export interface Change {
  concept?: string;
  box?: api.Box;
  /** The outline, corners or keypoints, in pixels. */
  shape?: number[][];
  value?: 'positive' | 'negative' | 'unknown';
  replaces?: boolean;
}

const NAME = 'pellucid-name';
const BETWEEN = 3000;
const MOST = 1000;
const QUICK = 300;
const RESTS = 5;
const short = () => crypto.randomUUID().replaceAll('-', '');

const DONE: Partial<Record<api.HistoryRow['action'], string>> = {
  unsure: 'unsure, comes back at the end',
  comment: 'comment kept',
  reset: 'new review round: nothing counts as reviewed',
};
const doneText = ({ action, side }: api.HistoryRow): string =>
  DONE[action] ?? decidedText(action, side);

/** The name under which this person decides, '' if not yet given. */
export const reviewerName = (): string => localStorage.getItem(NAME) ?? '';

/** How to take back what was done, by key or by button. */
function wayBack(isUndone: boolean): string {
  const isTouched = matchMedia('(pointer: coarse)').matches;
  if (isUndone) return `${isTouched ? 'Redo' : 'Z'} brings it back`;
  return `${isTouched ? 'Undo' : 'z'} takes it back`;
}

export class Reviewing {
  who = $state(localStorage.getItem(NAME) ?? '');
  /** The name is asked for; what waits for it. */
  asking = $state.raw<(() => void) | null>(null);
  progress = $state.raw<api.ProgressDocument | null>(null);
  effect = $state.raw<api.EffectDocument | null>(null);
  /** The server did not answer the last time it was asked. */
  isOffline = $state(false);
  readonly outbox = new Outbox({
    saved: (act, outcome) => this.saved(act, outcome),
    refused: (act, message) => this.wasRefused(act, message),
  });
  /** Why the last act was refused. */
  refused = $state('');
  readonly queue: ReviewQueue;
  private readonly session = short();
  /** Of each act: the list, the cursor in it, and the places of its items. hiddenAt: where it was when its items left the list. */
  private places: {
    batch: string;
    list: string;
    item: number;
    items: number;
    stamped?: readonly number[];
    hiddenAt: number | null;
  }[] = [];
  /** Acts that were undone and may be done again, the last one first. */
  private undone: typeof this.places = [];
  /** Verdicts wait, one after the other, until the picture of their item is on the screen. */
  private turn: Promise<void> = Promise.resolve();
  /** Resolves when the picture of the item under the cursor is painted; the page sets it. */
  painted: () => Promise<void> = () => Promise.resolve();
  /** Called when the cursor went to another item by itself; the page brings it to the screen. */
  moved: () => void = () => {};
  /** The id of the last decision when the list was last read again; figures and items may be answered at different ones. */
  private readAt: number | null = null;
  private effectAt = -1;
  /** When the effect may be asked for again: on tens of millions of predictions it takes the server seconds. */
  private effectDue = 0;

  constructor(
    private readonly gallery: Gallery,
    private readonly say: (words: string, long?: boolean) => void,
  ) {
    this.queue = new ReviewQueue(
      gallery,
      this.session,
      () => this.me,
      () => this.outbox.settled,
      say,
    );
    setInterval(() => document.visibilityState === 'visible' && this.look(), BETWEEN);
  }

  /** The id of the last decision that this page knows of. */
  get head(): number {
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
    return gallery.selected.size
      ? [...gallery.selected].sort((one, other) => one - other).slice(0, MOST)
      : gallery.total
        ? [gallery.item]
        : [];
  }

  /** What the verdicts do to the item under the cursor, or to the selected ones; null where there is none. */
  readonly verbs = $derived.by((): Verbs | null => {
    const { gallery } = this;
    if (!gallery.total) return null;
    if (!gallery.open && gallery.selected.size > 1)
      return { wrong: 'Annotations are wrong', right: 'Annotations are right', blocked: null };
    const item = gallery.itemAt(gallery.item);
    if (!item) return null;
    return verbsOf(item, gallery.outcomeOf(item), gallery.kind, gallery.version?.concepts ?? []);
  });

  /** "The annotation is wrong", as the verb of the item says; adjusted: the box or shape as the reader adjusted it. */
  decideWrong(adjusted?: Pick<Change, 'box' | 'shape'>): void {
    this.named(() =>
      this.inTurn(() => {
        const { verbs } = this;
        if (verbs?.blocked && !adjusted) this.say(verbs.blocked);
        else return this.decided('wrong', { ...verbs?.change, ...adjusted });
      }),
    );
  }

  decide(verdict: api.Verdict, change: Change = {}): void {
    this.named(() => this.inTurn(() => this.decided(verdict, change)));
  }

  /** Nothing is decided on unseen: a verdict that comes before the picture waits for it. */
  private inTurn(act: () => Promise<void> | void): void {
    this.turn = this.turn
      .then(() => this.painted())
      .then(act)
      .catch((error: unknown) => this.say(errorMessage(error), true));
  }

  private get me(): string {
    return this.who || (this.progress?.me ?? '');
  }

  private async decided(verdict: api.Verdict, change: Change): Promise<void> {
    const { gallery } = this;
    const places = this.about;
    if (!places.every((place) => gallery.itemAt(place))) await this.outbox.settled; // nothing is read while a decision is on its way
    const items = gallery.queueItems
      ? places.flatMap((place) => gallery.itemAt(place) ?? [])
      : await gallery.pages.all(places);
    if (!items.length) return;
    if (items.length < places.length)
      return this.say('Not all of these items could be read: choose them again');
    const batch = short();
    const { length } = items;
    const [{ list }, { item }] = [this, gallery];
    this.remember({ batch, list, item, items: length, stamped: places, hiddenAt: null });
    const which = gallery.which;
    const asked = this.request(items, verdict, change, batch);
    gallery.hold();
    this.proceed(places, items, verdict, change);
    void this.act({ batch, items: items.length, submission: api.decide(which, asked) });
    if (gallery.queueItems) void this.queue.refill(items.map((item) => this.seen(item)));
  }

  /** Where the cursor was when something was decided; what was undone before is then final. */
  private remember(place: (typeof this.places)[number]): void {
    this.places.push(place);
    this.undone = [];
  }

  private request(
    items: readonly api.PageItem[],
    verdict: api.Verdict,
    change: Change,
    batch: string,
  ): api.DecisionRequest {
    return {
      items: items.map((item) => this.seen(item)),
      verdict,
      who: this.me,
      batch,
      seen: this.head,
      reason: '',
      corrected: this.gallery.corrected,
      concept: change.concept ?? null,
      box: change.box ?? null,
      shape: change.shape ?? null,
      value: change.value ?? null,
      replaces: change.replaces ?? false,
    };
  }

  /** A verdict on an item that is not of the list, such as a picture of a finding; sent tells how it is then stamped. */
  judge(
    item: api.PageItem,
    verdict: 'wrong' | 'right',
    sent: (review: NonNullable<api.PageItem['review']>) => void,
  ): void {
    this.named(() => {
      const { gallery } = this;
      const names = gallery.version?.concepts ?? [];
      const verbs = verbsOf(item, gallery.outcomeOf(item), gallery.kind, names);
      if (verdict === 'wrong' && verbs.blocked) return this.say(verbs.blocked);
      const change: Change = (verdict === 'wrong' && verbs.change) || {};
      const batch = short();
      this.remember({ batch, list: '', item: 0, items: 1, hiddenAt: null });
      const action = expectedAction(item, verdict, change);
      sent({ row: 0, action, who: this.me, when: new Date().toISOString(), reason: '' });
      const asked = this.request([item], verdict, change, batch);
      void this.act({ batch, items: 1, submission: api.decide(gallery.which, asked) });
    });
  }

  /** Send an act when those before it are saved. */
  private act(act: Act): Promise<void> {
    this.gallery.pending++;
    this.gallery.pages.unsettle();
    return this.outbox.add(act).finally(() => this.settle());
  }

  private settle(): void {
    const { gallery } = this;
    gallery.pending = Math.max(0, gallery.pending - 1);
    if (gallery.pending) return;
    this.readAgain();
    gallery.pages.settled();
    this.look();
  }

  /** Items that are decided on stay where they are, stamped, and the cursor goes to the next undecided one. In the queue, and with corrections, they leave the list. */
  private proceed(
    places: readonly number[],
    items: readonly api.PageItem[],
    verdict: api.Verdict,
    change: Change,
  ): void {
    const { gallery } = this;
    const first = places[0] ?? 0;
    gallery.selected = new Set();
    if (gallery.queueItems) {
      const done = new Set(items);
      gallery.queueItems = gallery.queueItems.filter((one) => !done.has(one));
      gallery.item = Math.max(0, Math.min(first, gallery.queueItems.length - 1));
      this.moved();
      return;
    }
    if (gallery.held || gallery.review !== 'new') {
      const when = new Date().toISOString();
      gallery.pages.stamp(places, (item) => ({
        row: 0,
        action: expectedAction(item, verdict, change),
        who: this.me,
        when,
        reason: '',
      }));
      gallery.item = this.nextUndecided(places.at(-1) ?? 0);
      this.moved();
      return;
    }
    gallery.left += places.length;
    gallery.pages.remove(places);
    gallery.item = Math.max(0, Math.min(first, gallery.total - 1));
    this.moved();
  }

  /** The next place without a decision, from the beginning if there is none further on. */
  private nextUndecided(after: number): number {
    const { gallery } = this;
    const last = Math.max(0, gallery.total - 1);
    if (!gallery.held) return Math.min(last, after + 1);
    for (let step = 1; step <= last; step++) {
      const place = (after + step) % (last + 1);
      if (!isStamped(gallery.itemAt(place))) return place;
    }
    return after;
  }

  seen(item: api.PageItem): api.ItemReference {
    const name = this.gallery.version?.concepts[item.concept] ?? '';
    return {
      image: item.path,
      concept: name,
      side: item.outcome === 'extra' ? 'annotated' : 'predicted',
      box: item.box,
      score: item.score,
    };
  }

  private saved(act: Act, done: api.ReviewOutcomeDocument): void {
    if (this.progress) this.progress = { ...this.progress, head: done.head };
    this.gallery.knownHead = done.head;
    this.isOffline = false;
    this.refused = '';
    const [row] = done.rows;
    const [other] = done.conflicts;
    if (other) {
      const message = `${other.who} decided on it just before you (${doneText(other)}): your later decision counts`;
      this.say(message, true);
      return;
    }
    const isUndone = row?.action === 'undo' || row?.action === 'redo';
    const items = isUndone ? done.rows.length : act.items;
    const about = row?.image && items === 1 ? ` ${row.concept} on ${row.image}` : '';
    const back = wayBack(row?.action === 'undo');
    this.say(
      row
        ? `${items > 1 ? `${count(items)} items: ` : ''}${doneText(row)}${row.reverts === null ? '' : about} · ${back}`
        : 'Nothing to take back',
    );
  }

  private wasRefused(act: Act, message: string): void {
    this.places = this.places.filter((place) => place.batch !== act.batch);
    this.say('');
    this.refused = message;
  }

  /** Undo or redo of one's own last act, with the cursor where it was. */
  takeBack(way: 'undo' | 'redo'): void {
    this.named(() => {
      const { gallery } = this;
      const { view } = gallery;
      const [batch, who] = [short(), this.me];
      gallery.hold();
      const submission = api.takeBack(view, way, who, batch);
      if (way === 'undo') this.removeStamps();
      void this.act({ batch, items: 1, submission, isUndo: way === 'undo' }).then(() => {
        if (gallery.queueItems) void this.queue.refill();
        const [from, to] = way === 'undo' ? [this.places, this.undone] : [this.undone, this.places];
        const place = from.pop();
        if (!place) return;
        to.push(place);
        if (place.list !== this.list || gallery.queueItems) return;
        gallery.item = way === 'undo' ? place.item : this.nextUndecided(place.item);
        this.moved();
        if (way === 'redo') return;
        const { hiddenAt } = place;
        if (hiddenAt === null) return;
        for (const other of this.places)
          if (other.hiddenAt !== null && other.hiddenAt > hiddenAt) other.item += place.items;
      });
    });
  }

  /** What is taken back looks so at once, be the server away. */
  private removeStamps(): void {
    const waiting = this.outbox.waiting.filter((act) => act.isUndo).length;
    const place = this.places.at(-1 - waiting);
    if (place?.list === this.list && place.hiddenAt === null && place.stamped)
      this.gallery.pages.stamp(place.stamped, () => null);
  }

  /** Hide what was decided on: the acts that may be undone keep their places in the shorter list. */
  closeUp(): void {
    const moved = this.gallery.closeUp();
    for (const place of this.places) {
      if (place.list !== this.list) continue;
      place.hiddenAt ??= place.item;
      place.item = moved(place.item);
    }
  }

  /** An annotation where neither the model nor the annotators saw an object. */
  addBox(image: string, concept: string, box: api.Box): void {
    const { which } = this.gallery;
    this.named(() =>
      this.remark((who, batch) =>
        api.addBox(which, { image, concept, box, who, batch, reason: '' }),
      ),
    );
  }

  /** Until the reviewer has said a name, what was written is not sent. */
  comment(text: string, sent: () => void): void {
    const item = this.gallery.itemAt(this.gallery.item);
    if (!item || !text.trim()) return;
    this.named(() => {
      sent();
      this.remark((who, batch) =>
        api.comment(
          this.gallery.which,
          this.seen(item),
          who,
          text.trim(),
          this.gallery.corrected,
          batch,
        ),
      );
    });
  }

  revert(row: number, then: () => void): void {
    this.named(() =>
      this.remark((who, batch) => api.revert(this.gallery.view, row, who, batch), then),
    );
  }

  reset(then: () => void): void {
    this.named(() => this.remark((who, batch) => api.reset(this.gallery.view, who, batch), then));
  }

  /** An act that moves nobody: undoing it leaves the cursor where it is. */
  private remark(
    submission: (who: string, batch: string) => api.Submission,
    then?: () => void,
  ): void {
    const [batch, who] = [short(), this.me];
    this.remember({ batch, list: '', item: 0, items: 1, hiddenAt: null });
    void this.act({ batch, items: 1, submission: submission(who, batch) }).then(then);
  }

  private get list(): string {
    const { view, versionName, tab, split, concept, order, review, reverse, corrected } =
      this.gallery;
    const { only, at, iou } = this.gallery;
    const parts = [view, versionName, tab, split, concept, order, review, reverse, corrected];
    return JSON.stringify([...parts, only, [...at], iou]);
  }

  /** Ask what others decided; the effect of the corrections follows. */
  readonly look = latest(async () => {
    const { gallery } = this;
    if (!gallery.view || !gallery.version || gallery.isExported) return;
    try {
      await this.readProgress();
      if (this.isOffline) this.reconnected();
      await this.readEffect();
    } catch (error) {
      this.isOffline = !(error instanceof api.ApiError);
    }
  });

  /** The server answers again: what could not be read is read, and what waits is sent. */
  private reconnected(): void {
    this.isOffline = false;
    this.gallery.failure = null;
    this.gallery.revision++;
    this.gallery.revival++;
    this.outbox.retryNow();
  }

  private async readProgress(): Promise<void> {
    const { gallery } = this;
    const { view } = gallery;
    const before = this.progress;
    const session = this.queue.isOpen ? this.queue.session : '';
    const progress = await api.readProgress(view, before?.head ?? 0, this.who, session);
    if (view !== gallery.view) return;
    this.progress = progress;
    const readAt = this.readAt ?? gallery.figures?.head ?? progress.head;
    if (progress.head > readAt && !gallery.pending) {
      gallery.hold();
      this.readAgain();
    }
    gallery.knownHead = progress.head;
    if (!before) return;
    if (progress.head > before.head && this.queue.isOpen) void this.queue.refill(); // others decided
    if (progress.contradicted.length) this.say(contradictionMessage(progress.contradicted), true);
  }

  private readAgain(): void {
    this.gallery.revision++;
    this.readAt = this.head;
  }

  private async readEffect(): Promise<void> {
    const head = this.progress?.head ?? -1;
    const start = performance.now();
    if ((head === this.effectAt && this.effect) || start < this.effectDue) return;
    this.effect = await api.readEffect(this.gallery.which, this.gallery.split);
    this.effectAt = head;
    const end = performance.now();
    this.effectDue = end + RESTS * (end - start - QUICK);
  }

  /** Another view, version or split: what is known of the former one is void. */
  elsewhere(): void {
    if (this.queue.isOpen) this.queue.close();
    this.progress = null;
    this.effect = null;
    this.readAt = null;
    this.look();
  }

  /** Review together: items come one by one, each to one reviewer. */
  toggleQueue(): void {
    if (this.queue.isOpen) this.queue.close();
    else this.named(() => void this.queue.open());
  }
}

/** What the server is going to store for a verdict, as far as the stamp on the item tells. */
function expectedAction(
  item: api.PageItem,
  verdict: api.Verdict,
  change: Change,
): api.HistoryRow['action'] {
  if (verdict === 'right') return 'confirm';
  if (verdict === 'unsure') return 'unsure';
  if (item.outcome !== 'extra') return change.replaces ? 'change' : 'add';
  return change.concept || change.box || change.shape || change.value ? 'change' : 'remove';
}

/** Whether something was decided on an item, be it that somebody is unsure. */
const isStamped = (item: api.PageItem | undefined): boolean => !!item?.review;

function contradictionMessage(rows: readonly api.HistoryRow[]): string {
  const [row] = rows;
  const more = rows.length > 1 ? ` and ${rows.length - 1} more` : '';
  return `${row!.who} decided after you on ${row!.image} (${row!.concept}: ${doneText(row!)})${more}: their decision counts`;
}
