/** Why a list is empty, and the command that fills it where there is one. */
import { count } from '../lib/format';
import type { Tab } from '../lib/api';

export interface ListState {
  /** The name of the workspace's folder. */
  workspace: string;
  hasViews: boolean;
  view: string;
  version: string;
  hasVersion: boolean;
  /** False while the figures of the list are loading. */
  isReady: boolean;
  /** Items that can be shown. */
  total: number;
  /** Items of the whole list, reviewed or not. */
  all: number;
  isQueue: boolean;
  isExported: boolean;
  isFiltered: boolean;
  hidesReviewed: boolean;
  coverage: { images: number; covered: number } | null;
  tab: Tab;
}

export interface EmptyMessage {
  text: string;
  command: string;
}

const NO_ITEMS: Record<Tab, string> = {
  all: 'No predictions.',
  matched: 'No prediction at or over the threshold matches an annotation.',
  missing: 'No missing annotation: every prediction at or over the threshold matches one.',
  extra: 'No extra annotation: every annotation is matched.',
};

export function emptyMessage(state: ListState): EmptyMessage | null {
  if (!state.hasViews)
    return message(
      'This workspace has no view yet.',
      `pellucid add ${state.workspace} VIEW SOURCE --images DIR`,
    );
  if (!state.hasVersion)
    return state.view
      ? message(
          'This view has no version yet.',
          `pellucid predictions ${state.workspace} ${state.view} VERSION SOURCE`,
        )
      : null;
  if (!state.isReady || state.total > 0) return null;
  return state.isQueue
    ? message('Nothing is free in the queue: every item is reviewed or with another reviewer.')
    : emptyList(state);
}

function emptyList(state: ListState): EmptyMessage {
  if (state.isExported && state.all > 0)
    return message('These items are not in the exported page.');
  if (state.isFiltered && !state.all) return message('No item matches the filters.');
  if (state.all > 0)
    return message(
      state.hidesReviewed
        ? state.all === 1
          ? 'The one item of this list is reviewed.'
          : `All ${count(state.all)} items of this list are reviewed.`
        : 'No such item in this list.',
    );
  if (state.coverage && !state.coverage.covered)
    return message(
      `The model was not run on the ${count(state.coverage.images)} images of this split${state.isExported ? '' : ': b shows them with their annotations'}.`,
      `pellucid predictions ${state.workspace} ${state.view} ${state.version} SOURCE`,
    );
  return message(NO_ITEMS[state.tab]);
}

const message = (text: string, command = ''): EmptyMessage => ({ text, command });
