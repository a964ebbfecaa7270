/** A page of figures is found again as it was left: its place while it was scrolled, once what it holds has come. */

const left = new Map<string, number>();
const PATIENCE = 4000;

export function remember(node: HTMLElement, name: string) {
  const wanted = left.get(name) ?? 0;
  const begun = performance.now();
  let settled = wanted === 0;
  const tick = (): void => {
    if (settled) return;
    node.scrollTop = wanted;
    settled = Math.abs(node.scrollTop - wanted) < 2 || performance.now() - begun > PATIENCE;
    if (!settled) setTimeout(tick, 60);
  };
  const scrolled = (): void => {
    if (settled) left.set(name, node.scrollTop);
  };
  const touched = (): void => {
    settled = true;
  };
  tick();
  node.addEventListener('scroll', scrolled);
  node.addEventListener('wheel', touched, { passive: true });
  node.addEventListener('pointerdown', touched);
  node.addEventListener('keydown', touched);
  if (!node.ownerDocument.activeElement || node.ownerDocument.activeElement === document.body)
    node.focus({ preventScroll: true });
  return {
    destroy() {
      settled = true;
      node.removeEventListener('scroll', scrolled);
      node.removeEventListener('wheel', touched);
      node.removeEventListener('pointerdown', touched);
      node.removeEventListener('keydown', touched);
    },
  };
}

/** Arrow keys walk the marks of a drawing, of which Tab reaches one. */
export function walk(event: KeyboardEvent, marks: string): void {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const here = event.currentTarget as SVGElement;
  const all = [...(here.ownerSVGElement?.querySelectorAll<SVGElement>(marks) ?? [])];
  all[(all.indexOf(here) + by + all.length) % all.length]?.focus();
  event.preventDefault();
  event.stopPropagation();
}
