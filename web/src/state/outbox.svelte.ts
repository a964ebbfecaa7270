/** Acts on their way to the server, in the order they were taken. They are stored in the browser until the server has saved them. */
import * as api from '../lib/api';

export interface Act {
  /** The server saves an act once, however often it is sent. */
  batch: string;
  /** Number of items it is about. */
  items: number;
  /** Whether it takes back the act before it. */
  isUndo?: boolean;
  submission: api.Submission;
}

interface Outcomes {
  saved: (act: Act, outcome: api.ReviewOutcomeDocument) => void;
  refused: (act: Act, message: string) => void;
}

const PREFIX = 'pellucid-unsent';
const LONGEST_WAIT = 15;
/** Not signed in (any more), too slow, too often: the same request may succeed later. */
const PASSING = [401, 408, 429];

const isFinal = (status: number): boolean => status < 500 && !PASSING.includes(status);

export class Outbox {
  /** Acts that are not saved yet. */
  waiting = $state.raw<readonly Act[]>([]);
  /** Seconds until the next attempt, while the server does not answer. */
  retryIn = $state<number | null>(null);
  private delivery: Promise<void> = Promise.resolve();
  private wake: () => void = () => {};
  private workspace = '';

  constructor(
    private readonly outcomes: Outcomes,
    private readonly submit: (
      submission: api.Submission,
    ) => Promise<api.ReviewOutcomeDocument> = api.submit,
  ) {}

  /** Send what an earlier page could not, of this workspace. */
  resume(workspace: string): void {
    if (!workspace || workspace === this.workspace) return;
    this.workspace = workspace;
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.key('')));
    for (const key of keys.sort()) {
      const act = JSON.parse(localStorage.getItem(key)!) as Act;
      localStorage.removeItem(key);
      void this.add(act);
    }
  }

  /** Resolves when this act and those before it are saved or refused. */
  add(act: Act): Promise<void> {
    this.waiting = [...this.waiting, act];
    const key = this.key(`${String(Date.now()).padStart(15, '0')} ${act.batch}`);
    this.store(key, act);
    this.delivery = this.delivery.then(() => this.deliver(act, key));
    return this.delivery;
  }

  /** Resolves when all acts so far are saved or refused. */
  get settled(): Promise<void> {
    return this.delivery;
  }

  retryNow(): void {
    this.wake();
  }

  discard(): void {
    this.waiting = [];
    this.wake();
  }

  private async deliver(act: Act, key: string): Promise<void> {
    for (let attempt = 0; this.waiting.includes(act); attempt++) {
      try {
        const outcome = await this.submit(act.submission);
        this.remove(act);
        this.outcomes.saved(act, outcome);
      } catch (error) {
        if (error instanceof api.ApiError && isFinal(error.status)) {
          this.remove(act);
          this.outcomes.refused(act, error.message);
        } else await this.pause(Math.min(LONGEST_WAIT, 2 ** attempt));
      }
    }
    localStorage.removeItem(key);
    this.retryIn = null;
  }

  private store(key: string, act: Act): void {
    if (!this.workspace) return;
    try {
      localStorage.setItem(key, JSON.stringify(act));
    } catch {
      return; // no room, or not allowed: it waits in the page alone
    }
  }

  private remove(act: Act): void {
    this.waiting = this.waiting.filter((other) => other !== act);
  }

  /** Wait some seconds, or until the reader does not want to. */
  private async pause(seconds: number): Promise<void> {
    let isOver = false;
    const woken = new Promise<void>((resolve) => {
      this.wake = () => {
        isOver = true;
        resolve();
      };
    });
    for (let left = seconds; left > 0 && !isOver; left--) {
      this.retryIn = left;
      await Promise.race([woken, new Promise((resolve) => setTimeout(resolve, 1000))]);
    }
  }

  private key(rest: string): string {
    return `${PREFIX} ${this.workspace} ${rest}`;
  }
}
