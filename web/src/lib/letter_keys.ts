/** Shortcuts of a single letter, digit or sign, which a reader who speaks their input can switch off. */
const KEY = 'pellucid-letter-keys';

export function areLettersOn(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

export function setLetters(on: boolean): void {
  try {
    if (on) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, 'off');
  } catch {
    // they stay on where nothing can be stored
  }
}

/** Whether a key types a character, and would do so in a text field. */
export const isLetter = (event: KeyboardEvent): boolean =>
  event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
