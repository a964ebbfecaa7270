/** What the page shows and where the reader is in it. */
import * as api from '../lib/api';
import { exportedPage } from '../lib/exported';
import { latest } from '../lib/latest';
import { outcomeAt } from '../lib/labels';
import { countChanges, type CountChange, type Counts } from '../lib/threshold_change';
import {
  formatPlace,
  parsePlace,
  usualReview,
  type ImageOrder,
  type Order,
  type Page,
  type Place,
  type Review,
  type Sort,
  START,
} from './route';
import { scaleOf } from '../lib/histogram';
import { Pages } from '../grid/pages.svelte';

/** Filters that name the items of one list. */
const OF_ONE_LIST = /^(items|like|text|answered|versus):/;
/** Also those that ask for a reason that the items of other tabs do not have. */
const OF_ONE_TAB = /^(items|like|text|answered|versus|cause|slice):/;
/** They ask for a number of items, most similar first, in whatever list: no tab is narrowed by them. */
const RANKING = /^(like|text):/;
/** The tabs with the items of an image, its errors first. */
const TABS_OF_IMAGE: readonly api.Tab[] = ['missing', 'extra', 'matched'];
/** Items among which the one of an address is looked for. */
const SOUGHT = 1000;
const NO_THRESHOLDS: ReadonlyMap<number, number> = new Map();

export interface Figures {
  all: number;
  matched: number;
  missing: number;
  extra: number;
}

/** The items behind a number or a mark: where they are, and what narrows the list down to them. */
export interface Link {
  tab: api.Tab;
  only?: readonly string[];
  /** A position, or a name where the link is to another version; null for all. */
  concept?: number | string | null;
  version?: string;
  split?: api.Split;
  order?: Order;
  /** The item to open in the viewer. */
  item?: number;
  open?: boolean;
  at?: ReadonlyMap<number, number>;
}

export class Gallery {
  workspace = $state.raw<api.WorkspaceDocument | null>(null);
  version = $state.raw<api.VersionDocument | null>(null);
  figures = $state.raw<api.FiguresDocument | null>(null);
  histogram = $state.raw<api.HistogramDocument | null>(null);
  /** AP and the like; null while they are computed. */
  headline = $state.raw<api.HeadlineDocument | null>(null);
  failure = $state<string | null>(null);

  page = $state<Page>(location.search ? parsePlace(location.search).page : 'findings');
  only = $state.raw<readonly string[]>([]);
  /** What remains of every count under the filters; null while it is read, and without filters. */
  filtered = $state.raw<api.FilteredDocument | null>(null);
  private filteredOf: readonly unknown[] = [];
  /** Of the narrowed list: how long it is. */
  narrowed = $state.raw<api.CountDocument | null>(null);
  against = $state('');
  /** The two versions that were compared last, older first: leading to either's items does not turn them round. */
  pair = $state.raw<readonly [string, string] | null>(null);
  /** Whether keys move the threshold: until the reader does something else the wall is held at the cut. */
  isTuning = $state(false);
  /** The versions ticked in their table, for the key that compares them. */
  ticked = $state.raw<readonly string[]>([]);
  /** The thresholds at which they are compared. */
  point = $state(START.point);
  view = $state('');
  versionName = $state('');
  tab = $state<api.Tab>('all');
  split = $state<api.Split>('validation');
  concept = $state<number | null>(null);
  at = $state.raw<ReadonlyMap<number, number>>(NO_THRESHOLDS);
  reverse = $state(false);
  /** Whole images instead of boxes. */
  whole = $state(false);
  imageOrder = $state<ImageOrder>('errors');
  /** Whole images in the list; null while they are read. */
  imageTotal = $state<number | null>(null);
  item = $state(0);
  /** The item that the address names, until its list is there; '' for none. */
  sought = $state('');
  private isSoughtOpen = false;
  open = $state(false);
  /** The filters of the whole images that the viewer was opened from, where closing it leads back; null: it was not. */
  imagesFilters = $state.raw<readonly string[] | null>(null);
  /** What whole images hid of the reviewed items, where closing the viewer leads back. */
  private imagesReview: Review | null = null;
  /** The cursor in the list that the queue took the place of. */
  private itemBeforeQueue = 0;
  /** Whether the viewer was opened on an item of another page, to which closing it leads back. */
  isFromPage = false;
  /** The tab that whole images took the place of. */
  private tabBefore: api.Tab = 'all';
  sort = $state<Sort>('errors');
  order = $state<Order>('score');
  /** What the reader wants of each tab; null: what is usual. */
  reviewWish = $state<Review | null>(null);
  corrected = $state(false);
  /** The IoU at which the reader has the version matched; null: its own. */
  iou = $state<number | null>(null);
  /** Rises with every decision. */
  revision = $state(0);
  /** Decisions on their way. */
  pending = $state(0);
  /** Items that left the list before the figures said so. */
  left = $state(0);
  /** The list of new items as it was opened: what is decided on since then keeps its place. */
  held = $state.raw<{ since: number; length: number } | null>(null);
  /** The last decision that the page knows of; figures may be older. */
  knownHead = 0;
  /** The last decision when the list was read. */
  private listHead = 0;
  /** Places of the list that a decision is to be about, beside the cursor. */
  selected = $state.raw<ReadonlySet<number>>(new Set());
  /** Items handed out by the queue, in place of the list. */
  queueItems = $state.raw<api.PageItem[] | null>(null);
  pages = new Pages();
  /** Counts of each concept at its own threshold, of the list that `optimumOf` names. */
  private optimum = $state.raw<ReadonlyMap<number, Counts>>(new Map());
  private optimumOf = '';
  private navigationId = 0;
  private figuresOf = $state.raw<{
    which: api.Which;
    split: api.Split;
    corrected: boolean;
  } | null>(null);
  private histogramOf = $state.raw<readonly unknown[]>([]);
  /** Rises when the server answers again after it did not. */
  revival = $state(0);

  readonly which = $derived({ view: this.view, version: this.versionName, iou: this.iou });
  /** Whether the figures are those of the list being looked at: until then its length is not known. */
  readonly ready = $derived(
    this.figures !== null &&
      this.figuresOf?.which === this.which &&
      this.figuresOf.split === this.split &&
      (!this.only.length || this.narrowed !== null),
  );
  /** Whether the figures are not read yet, or are those of what was shown before. */
  readonly isPending = $derived(
    this.figures === null ||
      this.figuresOf?.which !== this.which ||
      this.figuresOf.split !== this.split ||
      this.figuresOf.corrected !== this.corrected,
  );
  readonly isHistogramPending = $derived(
    [this.which, this.split, this.concept, this.corrected].some(
      (part, index) => part !== this.histogramOf[index],
    ),
  );
  readonly kind = $derived(this.version?.kind ?? 'detection');
  readonly chosen = $derived(
    this.concept === null ? null : (this.figures?.concepts[this.concept] ?? null),
  );
  /** The one threshold that holds for the items shown; with all concepts each has its own. */
  readonly threshold = $derived(
    this.concept === null ? null : (this.at.get(this.concept) ?? this.chosen?.threshold ?? null),
  );
  readonly counts = $derived(
    this.countTabs(
      (one) => ({ all: one.all, matched: one.tp, missing: one.fp, extra: one.fn }),
      this.figures?.all_items,
    ),
  );
  /** Whether filters leave some items out of every list. */
  readonly narrows = $derived(this.only.some((clause) => !RANKING.test(clause)));
  /** The counts of the tabs that satisfy the filters; null without filters that narrow a list. */
  readonly filteredCounts = $derived.by((): Figures | null => {
    const { filtered, concept } = this;
    if (!filtered || !this.narrows) return null;
    const parts =
      concept === null ? filtered.concepts : filtered.concepts.slice(concept, concept + 1);
    const sum = (of: (one: (typeof parts)[number]) => number): number =>
      parts.reduce((total, one) => total + of(one), 0);
    return {
      all: filtered.all,
      matched: sum((one) => one.tp),
      missing: sum((one) => one.fp),
      extra: sum((one) => one.fn),
    };
  });
  readonly reviewed = $derived(this.countTabs((one) => one.reviewed, this.figures?.all_reviewed));
  readonly unsure = $derived(this.countTabs((one) => one.unsure, this.figures?.all_unsure));
  readonly review = $derived(this.reviewWish ?? usualReview(this.tab));
  readonly jump = $derived(
    this.chosen
      ? this.reverse
        ? this.chosen.all - this.chosen.over
        : this.chosen.over
      : this.order === 'margin'
        ? this.pages.thresholdPosition
        : null,
  );
  readonly coverage = $derived(
    this.version?.splits.find((split) => split.name === this.split) ?? null,
  );

  private countTabs(
    of: (one: api.ConceptDocument) => Figures,
    everything: number | undefined,
  ): Figures {
    const sum = { all: 0, matched: 0, missing: 0, extra: 0 };
    if (!this.figures) return sum;
    for (const one of this.chosen ? [this.chosen] : this.figures.concepts) {
      const counts = of(one);
      sum.all += counts.all;
      sum.matched += counts.matched;
      sum.missing += counts.missing;
      sum.extra += counts.extra;
    }
    if (!this.chosen) sum.all = everything ?? 0;
    return sum;
  }

  /** Of the list being looked at: items in all, and those that are reviewed or doubted. */
  readonly list = $derived(
    this.only.length
      ? {
          all: this.narrowed?.total ?? 0,
          reviewed: this.narrowed?.reviewed ?? 0,
          unsure: this.narrowed?.unsure ?? 0,
        }
      : {
          all: this.counts[this.tab],
          reviewed: this.reviewed[this.tab],
          unsure: this.unsure[this.tab],
        },
  );
  private readonly length = $derived(
    { ...this.list, new: this.list.all - this.list.reviewed }[this.review],
  );
  readonly query = $derived<api.Query>({
    ...this.which,
    split: this.split,
    concept: this.concept,
    at: this.at,
    tab: this.tab,
    reverse: this.reverse,
    order: this.order,
    review: this.review,
    since: this.held?.since ?? null,
    corrected: this.corrected,
    only: this.only,
    revision: this.revision,
  });
  /** Items of the list that are there to be looked at; in an exported page fewer than there are. */
  readonly total = $derived(
    this.queueItems
      ? this.queueItems.length
      : this.held
        ? (this.pages.total ?? this.held.length)
        : Math.min(api.availableCount(this.query), Math.max(0, this.length - this.left)),
  );
  /** Items that were decided on since the list was opened, and are still in it. */
  readonly decided = $derived(this.held ? Math.max(0, this.total - this.length) : 0);
  /** Whether predictions have scores; without, every one counts and there is no threshold. */
  readonly hasScores = $derived(this.version?.has_scores ?? true);
  /** Whether the tab All is shown without what the annotations say. */
  hidesOutcomes = $state(false);
  readonly isPlainAll = $derived(this.hidesOutcomes && this.tab === 'all');
  readonly isExported = exportedPage !== null;
  /** Whether counts do not yet follow the filters. */
  readonly isFiltering = $derived(
    this.only.length > 0 && this.filtered === null && !this.isExported,
  );
  /** All concepts as trained, at the version's own thresholds and IoU. */
  readonly isPlain = $derived(
    this.concept === null && !this.corrected && this.at.size === 0 && this.iou === null,
  );
  /** Decisions are about the version as it was matched. */
  readonly mayDecide = $derived(
    !this.isExported && this.workspace?.role !== 'reader' && this.iou === null,
  );

  /** What stands at a place of the list, if it is there yet. */
  itemAt(index: number): api.PageItem | undefined {
    return this.queueItems ? this.queueItems[index] : this.pages.item(index);
  }

  /** The threshold an item is held against. */
  thresholdOf(item: api.PageItem): number | null {
    return this.at.get(item.concept) ?? this.figures?.concepts[item.concept]?.threshold ?? null;
  }

  outcomeOf(item: api.PageItem): api.Outcome {
    return outcomeAt(item, this.thresholdOf(item));
  }

  /** Read the workspace and go to the place that the address names. */
  async begin(): Promise<void> {
    await this.guard(async () => {
      this.workspace = await api.readWorkspace();
    });
    if (!this.workspace) return;
    const { search } = location;
    await this.go(search);
    const unknown = this.unknownNames(parsePlace(search));
    if (unknown) this.tell(unknown);
  }

  /** What the address names and the workspace does not have; another is shown in its place. */
  private unknownNames({ view, version, concept }: Place): string {
    if (view && view !== this.view) return `No view '${view}': '${this.view}' is shown`;
    if (version && version !== this.versionName)
      return this.versionName
        ? `No version '${version}': '${this.versionName}' is shown`
        : `No version '${version}': the view has none yet`;
    if (concept !== null && this.version && !this.version.concepts.includes(concept))
      return `No concept '${concept}': all are shown`;
    return '';
  }

  /** Go to an address: the first time, and when the reader walks back through the history. */
  async go(search: string): Promise<void> {
    const place = parsePlace(search);
    const view = this.workspace?.views.find((view) => view.name === place.view) ?? this.firstView();
    const version =
      view && (view.versions.find((version) => version.name === place.version) ?? lastRun(view));
    await this.travel(view?.name ?? '', version?.name, (document) => {
      const position = place.concept === null ? -1 : document.concepts.indexOf(place.concept);
      this.at = new Map(
        [...place.at]
          .map(([name, value]) => [document.concepts.indexOf(name), value] as const)
          .filter(([place]) => place >= 0),
      );
      this.split = splitOf(document, place.split);
      this.tab = place.tab;
      this.concept = position >= 0 ? position : null;
      this.reverse = place.reverse;
      this.whole = place.whole && !this.isExported;
      this.imageOrder = place.imageOrder;
      this.item = place.item;
      this.open = place.open;
      this.sort = place.sort;
      this.order = place.order;
      this.reviewWish = place.review;
      this.corrected = place.corrected;
      this.page = search ? place.page : firstPage(view);
      this.only = place.only;
      this.against = place.against;
      this.point = place.point;
      this.iou = document.kind === 'detection' && place.iou !== document.iou ? place.iou : null;
      this.ticked = place.ticked;
      this.pair = place.candidate && place.against ? [place.against, place.candidate] : null;
      this.forgetList();
      const isList = place.page === 'gallery' && !this.whole && !this.isExported;
      this.sought = isList ? place.row : '';
      this.isSoughtOpen = place.open;
    });
  }

  /** The queue takes the place of the list. */
  startQueue(): void {
    this.selected = new Set();
    this.itemBeforeQueue = this.item;
    this.queueItems = [];
    this.item = 0;
  }

  addToQueue(items: readonly api.PageItem[]): void {
    if (this.queueItems) this.queueItems = [...this.queueItems, ...items];
  }

  endQueue(): void {
    this.queueItems = null;
    this.open = false;
    this.item = this.itemBeforeQueue;
  }

  /** Another list: what was meant of the former one is void. */
  private forgetList(): void {
    this.narrowed = null;
    this.sought = '';
    this.selected = new Set();
    this.left = 0;
    this.release();
    this.queueItems = null;
  }

  /**
   * Before somebody decides: keep the items of a list of new ones where they are. With corrections
   * the annotations change, and with them the list.
   */
  hold(): void {
    if (this.held || this.review !== 'new' || this.corrected || this.queueItems || !this.ready)
      return;
    this.held = { since: this.listHead, length: this.total };
  }

  /** From here on the list is as the last known decision leaves it. */
  private release(): void {
    this.held = null;
    this.listHead = Math.max(this.listHead, this.knownHead);
  }

  /**
   * Leave out what was decided on since the list was opened; the cursor stays at its item. Returns
   * where an item of the former list is in the new one, or would be if its decision were undone.
   */
  closeUp(): (place: number) => number {
    const since = this.held?.since ?? 0;
    const hasLeft = (index: number): boolean => {
      const review = this.pages.item(index)?.review;
      return !!review && (review.row === 0 || review.row > since); // 0: not saved yet
    };
    const gone: number[] = [];
    for (let index = 0; index < this.total; index++) if (hasLeft(index)) gone.push(index);
    const moved = (place: number): number => place - gone.filter((index) => index < place).length;
    this.item = moved(this.item);
    this.selected = new Set();
    this.release();
    this.revision++;
    return moved;
  }

  /** Another view or version, staying at the same concept and tab where it has them. */
  async choose(view: string, version?: string): Promise<void> {
    const navigationId = ++this.navigationId; // counted from the wish on: of two made quickly the later wins, whichever is answered first
    await this.guard(async () => {
      this.workspace = await api.readWorkspace();
    });
    if (navigationId !== this.navigationId) return;
    const there = this.workspace?.views.find((one) => one.name === view);
    const concept = this.concept === null ? null : this.version?.concepts[this.concept];
    await this.travel(view, version ?? (there && lastRun(there)?.name), (document) => {
      const place = concept ? document.concepts.indexOf(concept) : -1;
      this.concept = place >= 0 ? place : null;
      this.at = NO_THRESHOLDS;
      if (document.kind !== 'detection') this.iou = null;
      this.split = splitOf(document, this.split);
      this.item = 0;
      this.open = false;
      this.only = [];
      this.pair = null;
      this.forgetList();
    });
  }

  /** Fetch what is needed, and only then change the place, all of it at once; the last journey begun wins. */
  private async travel(
    view: string,
    version: string | undefined,
    arrive: (document: api.VersionDocument) => void,
  ): Promise<void> {
    const navigationId = ++this.navigationId;
    if (version === undefined) {
      this.view = view;
      this.versionName = '';
      this.version = null;
      this.figures = null;
      this.histogram = null;
      this.pages.forget();
      return;
    }
    await this.guard(async () => {
      const same = this.version !== null && this.view === view && this.versionName === version;
      const document = same ? this.version! : await api.readVersion({ view, version });
      if (navigationId !== this.navigationId) return;
      this.view = view;
      this.versionName = version;
      this.version = document;
      arrive(document);
    });
  }

  private firstView(): api.ViewDocument | undefined {
    const views = this.workspace?.views ?? [];
    return (
      views.find((view) => view.versions.some((version) => version.predictions > 0)) ?? views[0]
    );
  }

  get address(): string {
    const concepts = this.version?.concepts ?? [];
    return formatPlace({
      view: this.view,
      version: this.versionName,
      tab: this.tab,
      split: this.split,
      concept: this.concept === null ? null : (concepts[this.concept] ?? null),
      at: new Map([...this.at].map(([place, value]) => [concepts[place] ?? '', value])),
      reverse: this.reverse,
      whole: this.whole,
      imageOrder: this.imageOrder,
      item: this.item,
      row: this.row,
      open: this.open,
      sort: this.sort,
      order: this.order,
      review: this.reviewWish,
      corrected: this.corrected,
      page: this.page,
      only: this.only,
      against: this.against,
      ticked: this.page === 'versions' ? this.ticked : [],
      candidate: this.pair && this.pair[1] !== this.versionName ? this.pair[1] : '',
      point: this.point,
      iou: this.iou,
    });
  }

  /** The item under the cursor as the address names it; '' at the start of a list. */
  private get row(): string {
    if (this.page !== 'gallery' || this.whole || this.queueItems || this.isExported) return '';
    if (!this.item && !this.open) return '';
    const item = this.itemAt(this.item);
    return this.sought || (item ? rowName(item) : '');
  }

  /** To the item that the address names, where the list changed since: near its place; one that was open is else shown alone. */
  async seek(): Promise<void> {
    const { sought, query, item, open } = this;
    this.sought = '';
    const here = this.itemAt(item);
    if (here && rowName(here) === sought) return;
    await this.guard(async () => {
      const first = Math.max(0, item - SOUGHT / 2);
      const { items } = await api.readPage(query, first, SOUGHT, new AbortController().signal);
      if (query !== this.query || item !== this.item || open !== this.open) return; // the reader went on
      const place = items.findIndex((item) => rowName(item) === sought);
      if (place >= 0) this.item = first + place;
      else if (this.isSoughtOpen) {
        if (sought.startsWith('p')) this.tab = 'all'; // where every prediction is
        this.reviewWish = usualReview(this.tab) === 'all' ? null : 'all';
        this.setOnly([`items:${sought}`]);
        this.open = this.isSoughtOpen;
        this.tell('The list has changed since: the item of this address is shown alone');
      }
    });
  }

  /** Compare the two ticked versions; else the one shown with the one before it. */
  async openComparison(): Promise<void> {
    const versions = this.workspace?.views.find((one) => one.name === this.view)?.versions ?? [];
    const names = versions.map((one) => one.name).filter((one) => this.ticked.includes(one));
    const [older, newer] = names;
    if (this.page === 'versions' && older && newer && names.length === 2) {
      await this.choose(this.view, newer);
      this.pair = [older, newer];
      this.against = older;
    }
    this.page = 'compare';
  }

  /** To the items behind a mark. */
  async show(link: Link): Promise<void> {
    const imagesFilters = this.whole ? this.only : null;
    const isFromPage = this.page !== 'gallery' && link.open === true;
    const arrive = (document: api.VersionDocument): void => {
      const { concept } = link;
      const place = typeof concept === 'string' ? document.concepts.indexOf(concept) : concept;
      if (place !== undefined) this.concept = place === null || place < 0 ? null : place;
      else if (link.version) this.concept = null;
      if (link.split) this.split = link.split;
      this.at = link.at ?? (link.version ? NO_THRESHOLDS : this.at);
      this.tab = link.tab;
      this.reverse = false;
      this.whole = false;
      this.order = link.order ?? 'score';
      this.open = link.open ?? false;
      this.imagesFilters = imagesFilters;
      if (imagesFilters) this.imagesReview = this.reviewWish;
      this.page = 'gallery';
      this.fromTheTop();
      this.item = link.item ?? 0;
      this.isFromPage = isFromPage;
      this.only = link.only ?? [];
      this.reviewWish = usualReview(link.tab) === 'all' ? null : 'all';
    };
    if (this.isExported && !this.isKept(link))
      return this.tell('These items are not in the exported page');
    const before = this.versionName;
    await this.travel(this.view, link.version ?? before, arrive);
    if (this.versionName !== before && !this.open)
      this.tell(`These are items of ${this.versionName}; Back returns to ${before}`);
  }

  /** With all concepts: the place of the first item below its own threshold, in the order of margin. */
  async orderByMargin(): Promise<number | null> {
    if (this.order !== 'margin') this.setOrder('margin');
    const ended = new AbortController();
    return (await api.readPage(this.query, 0, 0, ended.signal)).threshold_position;
  }

  /** Said where the reader looks; the page sets it. */
  tell: (words: string) => void = () => {};

  private isKept(link: Link): boolean {
    const version = link.version ?? this.versionName;
    const names = this.version?.concepts ?? [];
    const concept =
      link.concept === undefined
        ? this.concept
        : typeof link.concept === 'string'
          ? names.indexOf(link.concept)
          : link.concept;
    return (
      api.availableCount({
        ...this.query,
        version,
        tab: link.tab,
        split: link.split ?? this.split,
        concept,
        only: link.only ?? [],
      }) > 0
    );
  }

  readonly readCount = latest(async (query: api.Query) => {
    await this.guard(async () => {
      const found = await api.readCount(query);
      if (
        query.only === this.only &&
        query.revision === this.revision &&
        query.tab === this.tab &&
        !this.pending
      ) {
        this.narrowed = found;
        this.left = 0;
      }
    });
  });

  /** Counts under the filters, whatever the tab. */
  readonly readFiltered = latest(async (query: api.Query) => {
    const of = [query.view, query.version, query.iou, query.split, query.concept, query.at];
    const key = [...of, query.corrected, query.only];
    if (key.some((part, index) => part !== this.filteredOf[index])) this.filtered = null;
    this.filteredOf = key;
    await this.guard(async () => {
      const filtered = await api.readFiltered(query);
      const { only, at, concept, tab } = this;
      if (query.only === only && query.at === at && query.concept === concept && query.tab === tab)
        this.filtered = filtered;
    });
  });

  readonly readFigures = latest(
    async (
      which: api.Which,
      split: api.Split,
      at: ReadonlyMap<number, number>,
      corrected: boolean,
      revision: number,
    ) => {
      await this.guard(async () => {
        const figures = await api.readFigures(which, split, at, corrected);
        if (
          which !== this.which ||
          split !== this.split ||
          corrected !== this.corrected ||
          revision !== this.revision ||
          this.pending
        )
          return;
        this.figures = figures;
        this.figuresOf = { which, split, corrected };
        if (!this.held) this.listHead = Math.max(this.listHead, figures.head);
        this.rememberOptimum([
          which.view,
          which.version,
          which.iou,
          split,
          corrected,
          figures.head,
        ]);
        if (!this.only.length) this.left = 0;
      });
    },
  );

  /** Keep the counts at the optimal thresholds, to say what a moved one changes. */
  private rememberOptimum(list: readonly unknown[]): void {
    const key = list.join('\n');
    const retained = key === this.optimumOf ? this.optimum : new Map<number, Counts>();
    const fresh = (this.figures?.concepts ?? [])
      .map((counts, concept) => [concept, counts] as const)
      .filter(([concept, counts]) => !this.at.has(concept) && counts.threshold === counts.optimal);
    this.optimumOf = key;
    this.optimum = new Map([...retained, ...fresh]);
  }

  /** What the reader's threshold of the chosen concept changes beside the best one. */
  readonly thresholdChanges = $derived.by((): CountChange[] => {
    const best = this.concept === null ? undefined : this.optimum.get(this.concept);
    return best && this.chosen ? countChanges(best, this.chosen) : [];
  });

  readonly readHistogram = latest(
    async (which: api.Which, split: api.Split, concept: number | null, corrected: boolean) => {
      await this.guard(async () => {
        const histogram = await api.readHistogram(which, split, concept, corrected);
        const isCurrent = which === this.which && split === this.split && concept === this.concept;
        if (!isCurrent || corrected !== this.corrected) return;
        this.histogram = histogram;
        this.histogramOf = [which, split, concept, corrected];
      });
    },
  );

  readonly readHeadline = latest(
    async (
      which: api.Which,
      split: api.Split,
      at: ReadonlyMap<number, number>,
      corrected: boolean,
      revision: number,
    ) => {
      const isCurrent = (): boolean =>
        which === this.which &&
        split === this.split &&
        corrected === this.corrected &&
        revision === this.revision;
      try {
        const headline = await api.readHeadline(which, split, at, corrected);
        if (isCurrent()) this.headline = headline;
      } catch {
        if (isCurrent()) this.headline = null; // the other figures say that the server is gone
      }
    },
  );

  private async guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.failure = null;
    } catch (error) {
      this.failure =
        error instanceof api.ApiError
          ? error.message
          : 'The server does not answer. Is pellucid still running?';
    }
  }

  setTab(tab: api.Tab): void {
    this.tab = tab;
    if (tab === 'extra' && this.order === 'margin') this.order = 'score';
    this.whole = false;
    this.reviewWish = null;
    this.elsewhere(OF_ONE_TAB);
  }

  setSplit(split: api.Split): void {
    this.split = split;
    this.elsewhere(OF_ONE_LIST);
  }

  setConcept(concept: number | null): void {
    this.concept = concept;
    this.elsewhere(OF_ONE_LIST);
  }

  toggleReverse(): void {
    this.reverse = !this.reverse;
    this.again();
  }

  setOrder(order: Order): void {
    this.order = order;
    this.again();
  }

  setReview(review: Review): void {
    this.reviewWish = review === usualReview(this.tab) ? null : review;
    this.again();
  }

  setCorrected(corrected: boolean): void {
    this.corrected = corrected;
    this.again();
  }

  /** Match again at another IoU; null: at the version's own. */
  setIou(iou: number | null): void {
    this.iou = iou === this.version?.iou ? null : iou;
    this.at = NO_THRESHOLDS;
    this.again();
  }

  /** From an item of a whole image back to the whole images. */
  backToImages(): void {
    this.only = this.imagesFilters ?? [];
    this.imagesFilters = null;
    this.reviewWish = this.imagesReview;
    this.showWhole(true);
  }

  /** The next tab with items of the image that was opened whole; undefined: there is none, or no image was. */
  tabOfImage(by: 1 | -1): api.Tab | undefined {
    const counts = this.filteredCounts;
    if (!this.imagesFilters || !counts) return undefined;
    const here = TABS_OF_IMAGE.indexOf(this.tab);
    const others =
      by > 0 ? TABS_OF_IMAGE.slice(here + 1) : TABS_OF_IMAGE.slice(0, Math.max(0, here)).reverse();
    return others.find((tab) => counts[tab] > 0);
  }

  /** To the first item of the next tab of the image, or the last of the one before. */
  stepTab(by: 1 | -1): void {
    const tab = this.tabOfImage(by);
    if (!tab) return;
    this.tab = tab;
    this.order = 'score';
    this.reviewWish = usualReview(tab) === 'all' ? null : 'all';
    this.forgetList();
    this.item = by > 0 ? 0 : (this.filteredCounts?.[tab] ?? 1) - 1;
  }

  /** Boxes, or whole images. Filters stay, but for those that ask for a number of items. */
  showWhole(whole: boolean): void {
    if (whole && !this.whole) this.tabBefore = this.tab;
    this.whole = whole && !this.isExported;
    if (this.whole) {
      this.only = this.only.filter((clause) => !/^(like|text|items):/.test(clause));
      this.tab = 'all';
    } else this.tab = this.tabBefore;
    this.open = false;
    this.again();
  }

  setOnly(only: readonly string[]): void {
    this.only = only;
    this.again();
  }

  /** The same list in another way. */
  private again(): void {
    this.item = 0;
    this.forgetList();
  }

  /** To another list under the same filters, but for those that hold for the former list alone. */
  private elsewhere(dropped: RegExp): void {
    this.item = 0;
    this.only = this.only.filter((clause) => !dropped.test(clause));
    this.forgetList();
  }

  private fromTheTop(): void {
    this.item = 0;
    this.only = [];
    this.forgetList();
  }

  nextSplit(): void {
    const splits = this.version?.splits ?? [];
    const here = splits.findIndex((split) => split.name === this.split);
    const next = splits[(here + 1) % Math.max(1, splits.length)];
    if (next) this.setSplit(next.name);
  }

  /** Hold the chosen concept to the reader's threshold. */
  setThreshold(value: number): void {
    const scale = this.histogram ? scaleOf(this.histogram) : { low: -Infinity, high: Infinity };
    value = Math.min(scale.high, Math.max(scale.low, value));
    if (this.concept !== null && !this.isExported)
      this.at = new Map(this.at).set(this.concept, value);
    this.release();
  }

  /** Likewise with keys: the wall is held at the cut. */
  tuneThreshold(value: number): void {
    this.isTuning = true;
    this.setThreshold(value);
  }

  backToOptimal(): void {
    this.release();
    if (this.concept === null) this.at = NO_THRESHOLDS;
    else {
      const at = new Map(this.at);
      at.delete(this.concept);
      this.at = at;
    }
  }
}

/** As filters and addresses name an item. */
export const rowName = (item: api.PageItem): string =>
  `${item.outcome === 'extra' ? 'a' : 'p'}${item.row}`;

function splitOf(document: api.VersionDocument, wished: api.Split): api.Split {
  const names = document.splits.map((split) => split.name);
  return (
    [wished, 'validation' as const].find((name) => names.includes(name)) ?? names[0] ?? 'validation'
  );
}

/** What is shown first: the versions where there are several to choose from, else what is wrong with the only one. */
function firstPage(view: api.ViewDocument | undefined): Page {
  const runs = view?.versions.filter((version) => version.predictions > 0).length ?? 0;
  if (!runs) return 'gallery';
  return runs > 1 && exportedPage === null ? 'versions' : 'findings';
}

function lastRun(view: api.ViewDocument): api.ViewDocument['versions'][number] | undefined {
  return view.versions.findLast((version) => version.predictions > 0) ?? view.versions.at(-1);
}
