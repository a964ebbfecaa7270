import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, type ReviewOutcomeDocument, type Submission } from '../lib/api';
import { Outbox, type Act } from './outbox.svelte';

const OUTCOME = { head: 1, rows: [], conflicts: [] } as unknown as ReviewOutcomeDocument;

function act(batch: string): Act {
  return { batch, items: 1, submission: { path: 'api/v1/decisions', body: { batch } } };
}

/** An outbox whose server is switched on and off. */
function setUp(isUp = true) {
  const server = { isUp, refuses: false, received: [] as string[] };
  const saved: string[] = [];
  const refused: string[] = [];
  const outbox = new Outbox(
    {
      saved: (one) => saved.push(one.batch),
      refused: (one, message) => refused.push(`${one.batch}: ${message}`),
    },
    async ({ body }: Submission) => {
      if (!server.isUp) throw new TypeError('network');
      if (server.refuses) throw new ApiError('no such item', 409);
      server.received.push((body as { batch: string }).batch);
      return OUTCOME;
    },
  );
  return { outbox, server, saved, refused };
}

beforeEach(() => {
  const stored = new Map<string, string>();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    removeItem: (key: string) => void stored.delete(key),
    setItem(this: Record<string, string>, key: string, value: string) {
      stored.set(key, value);
    },
  };
  vi.stubGlobal(
    'localStorage',
    new Proxy(storage, {
      ownKeys: () => [...stored.keys()],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    }),
  );
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('acts that wait for the server', () => {
  it('are sent in their order', async () => {
    const { outbox, server, saved } = setUp();
    void outbox.add(act('a'));
    await outbox.add(act('b'));
    expect(server.received).toEqual(['a', 'b']);
    expect(saved).toEqual(['a', 'b']);
    expect(outbox.waiting).toEqual([]);
  });

  it('are tried again until the server answers', async () => {
    const { outbox, server, saved } = setUp(false);
    void outbox.add(act('a'));
    const both = outbox.add(act('b'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(outbox.waiting).toHaveLength(2);
    expect(outbox.retryIn).toBeGreaterThan(0);
    server.isUp = true;
    await vi.advanceTimersByTimeAsync(20_000);
    await both;
    expect(saved).toEqual(['a', 'b']);
    expect(outbox.retryIn).toBeNull();
  });

  it('are sent at once when the reader asks', async () => {
    const { outbox, server, saved } = setUp(false);
    void outbox.add(act('a'));
    await vi.advanceTimersByTimeAsync(7_000);
    server.isUp = true;
    outbox.retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(saved).toEqual(['a']);
  });

  it('are dropped when they are refused, and the next ones are sent', async () => {
    const { outbox, server, refused, saved } = setUp();
    server.refuses = true;
    await outbox.add(act('a'));
    server.refuses = false;
    await outbox.add(act('b'));
    expect(refused).toEqual(['a: no such item']);
    expect(saved).toEqual(['b']);
  });

  it('wait where the request may succeed later, and go on where there is no storage', async () => {
    let status = 401;
    const saved: string[] = [];
    const outbox = new Outbox({ saved: (one) => saved.push(one.batch), refused: () => {} }, () =>
      status ? Promise.reject(new ApiError('not signed in', status)) : Promise.resolve(OUTCOME),
    );
    vi.stubGlobal('localStorage', {
      setItem: () => {
        throw new Error('quota');
      },
      removeItem: () => {},
    });
    outbox.resume('w1');
    void outbox.add(act('a'));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(outbox.waiting).toHaveLength(1);
    status = 0;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(saved).toEqual(['a']);
  });

  it('survive the page, for their own workspace only', async () => {
    const before = setUp(false);
    before.outbox.resume('w1');
    void before.outbox.add(act('a'));
    void before.outbox.add(act('b'));
    await vi.advanceTimersByTimeAsync(1_000);
    const elsewhere = setUp();
    elsewhere.outbox.resume('w2');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(elsewhere.server.received).toEqual([]);
    const after = setUp();
    after.outbox.resume('w1');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(after.server.received).toEqual(['a', 'b']);
    const later = setUp();
    later.outbox.resume('w1');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(later.server.received).toEqual([]);
  });

  it('are discarded on request', async () => {
    const { outbox, server } = setUp(false);
    outbox.resume('w1');
    void outbox.add(act('a'));
    await vi.advanceTimersByTimeAsync(1_000);
    outbox.discard();
    server.isUp = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(server.received).toEqual([]);
    expect(Object.keys(localStorage)).toEqual([]);
  });
});
