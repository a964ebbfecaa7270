/** Waiting until the reader can see what a verdict is about. */

const AGAIN = 30;

export interface Sight {
  /** The item under the cursor: its place, and the path of its image once it is read; null where there is none. */
  item: () => { place: number; path: string | undefined } | null;
  isViewerOpen: () => boolean;
  /** Bring the item's cell to the screen. */
  reveal: () => void;
}

/** Whether the picture of a cell is on the screen: nearly all of it, or as much as the wall can show. */
function isInSight(cell: HTMLElement): boolean {
  const wall = document.getElementById('wall')?.getBoundingClientRect();
  const picture = (cell.querySelector('img') ?? cell).getBoundingClientRect();
  if (!wall || !picture.height) return false;
  const seen = Math.min(picture.bottom, wall.bottom) - Math.max(picture.top, wall.top);
  return seen >= 0.9 * Math.min(picture.height, wall.height);
}

/** Resolves when the picture of the item under the cursor, in the wall or the viewer, is on the screen. A picture that cannot be read counts as shown: nothing more comes. */
export async function painted(sight: Sight): Promise<void> {
  for (let item = sight.item(); item; item = sight.item()) {
    const cell = document.getElementById(`item-${item.place}`);
    if (sight.isViewerOpen()) {
      const image = document.querySelector<HTMLImageElement>('.stage img');
      if (image?.complete && image.alt === item.path) return;
    } else if (!cell || !isInSight(cell)) sight.reveal();
    else if (cell.querySelector('img')?.complete) return;
    cell?.classList.add('early');
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
    cell?.classList.remove('early');
  }
}
