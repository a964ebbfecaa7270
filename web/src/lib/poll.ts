/** Polls an answer that takes the server a while, until it is ready or nobody waits. */
import { ApiError } from './api';

const AGAIN = 800;

export const errorMessage = (error: unknown): string =>
  error instanceof ApiError
    ? error.message
    : 'The server does not answer. Is pellucid still running?';

/** Asks at once; `onResponse` gets every answer, `onError` what went wrong. Returns how to stop. */
export function untilReady<T extends { ready: boolean }>(
  request: () => Promise<T>,
  onResponse: (answer: T) => void,
  onError: (words: string) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const once = async (): Promise<void> => {
    try {
      const answer = await request();
      if (over) return;
      onResponse(answer);
      if (!answer.ready) timer = setTimeout(() => void once(), AGAIN);
    } catch (error) {
      if (!over) onError(errorMessage(error));
    }
  };
  void once();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
