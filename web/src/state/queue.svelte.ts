/** The shared review queue: the server hands out items, each to one reviewer at a time. */
import * as api from '../lib/api';
import { count } from '../lib/format';
import { errorMessage } from '../lib/poll';
import type { Gallery } from './gallery.svelte';

/** Items that one reviewer holds at a time. */
const HELD_ITEMS = 10;

export class ReviewQueue {
  isOpen = $state(false);
  /** Items left in the queue, of all reviewers. */
  remaining = $state(0);
  /** Decided items that the server is not told about yet. */
  private done: api.ItemReference[] = [];
  private isStale = false;
  private refilling: Promise<void> | null = null;

  constructor(
    private readonly gallery: Gallery,
    readonly session: string,
    private readonly who: () => string,
    /** Resolves when all decisions taken so far are saved. */
    private readonly saved: () => Promise<void>,
    private readonly say: (message: string, long?: boolean) => void,
  ) {
    addEventListener('pagehide', () => this.isOpen && api.endQueue(gallery.view, session));
  }

  async open(): Promise<void> {
    this.isOpen = true;
    this.gallery.startQueue();
    await this.refill();
    this.gallery.open = this.gallery.total > 0;
  }

  close(): void {
    this.isOpen = false;
    this.done = [];
    this.gallery.endQueue();
    api.endQueue(this.gallery.view, this.session);
  }

  /**
   * Give back what was decided and fetch as many items as are missing.
   * One request at a time. What happens during a request (another decision, an undo) is asked for
   * by one more request after it, so that nothing is lost and nothing is handed out twice.
   */
  refill(done: readonly api.ItemReference[] = []): Promise<void> {
    this.done.push(...done);
    this.isStale = true;
    this.refilling ??= this.drain().finally(() => (this.refilling = null));
    return this.refilling;
  }

  private async drain(): Promise<void> {
    while (this.isStale && this.isOpen) {
      this.isStale = false;
      await this.saved(); // decisions must be saved before their items are given back
      await this.request(this.done.splice(0));
    }
  }

  private async request(done: api.ItemReference[]): Promise<void> {
    const { gallery } = this;
    try {
      const { items, left } = await api.takeFromQueue(gallery.which, {
        session: this.session,
        who: this.who(),
        tab: gallery.tab,
        split: gallery.split,
        concept: gallery.concept,
        order: gallery.order,
        at: [...gallery.at].map(([concept, value]) => `${concept}:${value}`),
        corrected: gallery.corrected,
        take: Math.max(0, HELD_ITEMS - (gallery.queueItems?.length ?? HELD_ITEMS)),
        give_back: done,
      });
      if (!this.isOpen) return;
      gallery.addToQueue(items);
      this.remaining = left;
      if (gallery.queueItems?.length === 0) this.say(emptyQueueMessage(left), true);
    } catch (error) {
      gallery.failure = errorMessage(error);
    }
  }
}

const emptyQueueMessage = (left: number): string =>
  left
    ? `Nothing is free: the last ${count(left)} are with other reviewers`
    : 'Nothing is left to review here';
