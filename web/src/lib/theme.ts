/** Switch between dark and light theme: the system's until the reader chooses. */
type Theme = 'dark' | 'light';
const KEY = 'pellucid-theme';
const system = matchMedia('(prefers-color-scheme: light)');

function stored(): Theme | null {
  try {
    const word = localStorage.getItem(KEY);
    return word === 'dark' || word === 'light' ? word : null;
  } catch {
    return null;
  }
}

const current = (): Theme => stored() ?? (system.matches ? 'light' : 'dark');
const show = (): void => {
  document.documentElement.dataset.theme = current();
};

export function followTheme(): void {
  show();
  system.addEventListener('change', show);
}

export function toggleTheme(): void {
  const next: Theme = current() === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // a browser that keeps nothing still shows the theme
  }
  document.documentElement.dataset.theme = next;
}
