/** The address bar follows the page: Back returns to another list, not to another cursor, and closes the viewer. */

const DELAY_MS = 120;

export class AddressBar {
  private lastList = '';
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What the address is going to be once it rests. */
  private pending: string | null = null;
  /** Whether the newest entry of the history was made by opening the viewer. */
  private hasOpenEntry = false;
  private isLeaving = false;

  /** isFile: the page was opened from disk; the place is then kept in the history's state. */
  constructor(private readonly isFile: boolean) {}

  /** Show an address; `list` names the list that is looked at, and a new entry is made for another one, and for an open viewer. */
  show(address: string, list: readonly (string | number | null)[], isOpen: boolean): void {
    const name = list.join('\n');
    const isFirst = this.lastList === '';
    const isNewList = !isFirst && name !== this.lastList;
    this.lastList = name;
    clearTimeout(this.timer);
    const { pending } = this;
    this.pending = null;
    if (isNewList && this.current !== address) {
      this.hasOpenEntry = false;
      if (pending !== null) this.replace(pending); // the place that is left
      this.push(address);
    } else if (isOpen && !isFirst && !isNewList && !this.wasOpen) {
      this.replace(closedAddress(address));
      this.push(address);
      this.hasOpenEntry = true;
    } else if (!isOpen && this.wasOpen && this.hasOpenEntry) {
      this.hasOpenEntry = false;
      this.isLeaving = true;
      history.back();
    } else if (this.isFile) this.replace(address);
    else {
      this.pending = address;
      this.timer = setTimeout(() => this.replace(address), DELAY_MS);
    }
    this.wasOpen = isOpen;
  }
  private wasOpen = false;

  /** After Back or Forward: whether it only closed the viewer, whose entry then becomes the place shown. */
  closesViewer(address: string): boolean {
    const isClosing = this.isLeaving || this.hasOpenEntry;
    this.hasOpenEntry = false;
    if (isClosing) {
      this.isLeaving = false;
      this.wasOpen = false;
      this.replace(closedAddress(address));
    } else this.lastList = ''; // the next address is that of the entry reached, not a new one
    return isClosing;
  }

  private get current(): string {
    const state = history.state as { search?: string } | null;
    return this.isFile ? (state?.search ?? '') : location.search;
  }

  private push(address: string): void {
    if (this.isFile) history.pushState({ search: address }, '');
    else history.pushState(null, '', address);
  }

  private replace(address: string): void {
    if (this.isFile) history.replaceState({ search: address }, '');
    else if (location.search !== address) history.replaceState(null, '', address);
  }
}

function closedAddress(address: string): string {
  const query = new URLSearchParams(address);
  query.delete('open');
  return `?${query.toString()}`;
}
