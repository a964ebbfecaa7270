/** The address bar follows the page: Back returns to another list, not to another cursor. */

const DELAY_MS = 120;

export class AddressBar {
  private lastList = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** isFile: the page was opened from disk; the place is then kept in the history's state. */
  constructor(private readonly isFile: boolean) {}

  /** Show an address; `list` names the list that is looked at, and a new entry is made for another one. */
  show(address: string, list: readonly (string | number | null)[]): void {
    const name = list.join('\n');
    const isNewList = this.lastList !== '' && name !== this.lastList;
    this.lastList = name;
    clearTimeout(this.timer);
    if (this.isFile) {
      if (isNewList) history.pushState({ search: address }, '');
      else history.replaceState({ search: address }, '');
    } else if (isNewList && location.search !== address) history.pushState(null, '', address);
    else this.timer = setTimeout(() => replace(address), DELAY_MS);
  }

  /** After Back or Forward: the next address is that of the entry reached, not a new one. */
  reset(): void {
    this.lastList = '';
  }
}

function replace(address: string): void {
  if (location.search !== address) history.replaceState(null, '', address);
}
