/**
 * One call at a time; while it runs only the newest arguments are kept.
 * A threshold being dragged asks sixty times a second and is answered as fast as answers come, the last one always.
 */
export function latest<A extends unknown[]>(
  work: (...args: A) => Promise<void>,
): (...args: A) => void {
  let running = false;
  let waiting: A | null = null;
  async function run(args: A): Promise<void> {
    running = true;
    try {
      await work(...args);
    } finally {
      running = false;
      if (waiting) {
        const next = waiting;
        waiting = null;
        void run(next);
      }
    }
  }
  return (...args) => {
    if (running) waiting = args;
    else void run(args);
  };
}
