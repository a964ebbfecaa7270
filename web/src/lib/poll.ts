/** Asking for what takes the server a while: again and again until it is ready, and no more once nobody waits. */
import { Refused } from './api';

const AGAIN = 800;

export const errorMessage = (error: unknown): string =>
  error instanceof Refused
    ? error.message
    : 'The server does not answer. Is pellucid still running?';

/** Asks at once; `told` hears every answer, `failed` what went wrong. Returns how to stop. */
export function untilReady<T extends { ready: boolean }>(
  ask: () => Promise<T>,
  told: (answer: T) => void,
  failed: (words: string) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const once = async (): Promise<void> => {
    try {
      const answer = await ask();
      if (over) return;
      told(answer);
      if (!answer.ready) timer = setTimeout(() => void once(), AGAIN);
    } catch (error) {
      if (!over) failed(errorMessage(error));
    }
  };
  void once();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
