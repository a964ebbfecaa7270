/** Keep a bar on one line: what it can do without gives way, in steps. */

/**
 * Set the classes `fit-1` to `fit-N` on the node, as many as needed for its content to fit. More are
 * set when the content grows; fewer only when the node is resized or `key` changes, so that nothing
 * comes and goes while a number changes.
 */
export function fit(
  node: HTMLElement,
  options: { steps: number; key: string },
): { update: (changed: { steps: number; key: string }) => void; destroy: () => void } {
  let { key } = options;
  let step = 0;
  function set(to: number): void {
    step = to;
    for (let n = 1; n <= options.steps; n++) node.classList.toggle(`fit-${n}`, n <= to);
  }
  function isFull(): boolean {
    const last = node.lastElementChild;
    if (!last) return false;
    const room = parseFloat(getComputedStyle(node).paddingRight);
    return (
      last.getBoundingClientRect().right > node.getBoundingClientRect().right - room + 1 ||
      node.scrollWidth > node.clientWidth + 1
    );
  }
  function grow(): void {
    while (step < options.steps && isFull()) set(step + 1);
  }
  function restart(): void {
    set(0);
    grow();
  }
  const resized = new ResizeObserver(restart);
  resized.observe(node);
  if (node.parentElement) resized.observe(node.parentElement); // a node as wide as its content does not grow with the page
  const changed = new MutationObserver(grow);
  changed.observe(node, { childList: true, characterData: true, subtree: true });
  return {
    update(next) {
      if (next.key === key) return;
      key = next.key;
      restart();
    },
    destroy() {
      resized.disconnect();
      changed.disconnect();
    },
  };
}
