/**
 * Whether a watch has kept its copy true (trap T14, failure F30). A watch that loses a change says nothing about it: names would be missing, or
 * lead nowhere, until the process ends. So now and then, and after each list, the copy is held against the API: how many objects there are, and
 * some of them by their versions, other ones each time. What differs may be on its way: only what still does after a while is an error. Then all is
 * listed anew.
 */
import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Client, Informer, ListOptions } from '../../client/client.ts';
import { realClock, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { differences, keyOf, versionOf, type Difference, type Version } from './self-check-differences.ts';

export interface SelfCheckOptions<T extends KubeObject> {
  readonly client: Client;
  readonly kind: Kind<T>;
  readonly informer: Informer<T>;
  /** As the informer was started with. */
  readonly selection: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>;
  readonly log: Log;
  readonly clock?: Clock;
  /** 0 to 1, exclusive: so that the servers of many nodes do not ask at once. */
  readonly random?: () => number;
  readonly timing?: Partial<Timing>;
  readonly onResult?: (result: CheckResult) => void;
}

export interface Timing {
  /** ms between checks. */
  readonly period: number;
  /** ms after a list. */
  readonly afterList: number;
  /** ms that a change may take on its way. */
  readonly grace: number;
}

export type CheckResult =
  | { readonly outcome: 'same' }
  /** They were wrong, and a new list has put them right. */
  | { readonly outcome: 'healed'; readonly names: readonly string[] }
  /** They are wrong after a new list too. */
  | { readonly outcome: 'wrong'; readonly names: readonly string[] }
  /** The API server could not be asked: nothing is known. */
  | { readonly outcome: 'unknown'; readonly error: unknown };

const TIMING: Timing = { period: 60_000, afterList: 5_000, grace: 2_000 };
/** Objects that are looked at in one check where their number is right. */
const SAMPLE = 500;
/** Differences that are looked at a second time. */
const MOST_SUSPECTS = 20;

/** Never rejects. Returns how to stop. */
export function startSelfCheck<T extends KubeObject>(options: SelfCheckOptions<T>): () => void {
  const check = new SelfCheck(options);
  check.begin();
  return () => {
    check.stop();
  };
}

class SelfCheck<T extends KubeObject> {
  readonly #options: SelfCheckOptions<T>;
  readonly #clock: Clock;
  readonly #timing: Timing;
  readonly #stopped = new AbortController();
  readonly #unsubscribe: () => void;
  #cancel = () => {};
  #isAtWork = false;
  /** The namespace that was looked at last, by its name. */
  #lastNamespace = '';

  constructor(options: SelfCheckOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#timing = { ...TIMING, ...options.timing };
    this.#unsubscribe = options.informer.onList(() => {
      this.#plan(this.#timing.afterList);
    });
  }

  begin(): void {
    if (this.#options.informer.hasSynced) this.#plan(this.#timing.afterList);
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancel();
    this.#unsubscribe();
  }

  #plan(ms: number): void {
    if (this.#stopped.signal.aborted || this.#isAtWork) return;
    this.#cancel();
    const { random = Math.random } = this.#options;
    const work = () => {
      this.#isAtWork = true;
      void this.#check().finally(() => {
        this.#isAtWork = false;
        this.#plan(this.#timing.period);
      });
    };
    this.#cancel = this.#clock.after(ms * (0.75 + random() / 2), work, true);
  }

  async #check(): Promise<void> {
    const { log, kind, informer, onResult } = this.#options;
    let result: CheckResult;
    try {
      const wrong = await this.#wrong();
      if (wrong.length === 0) result = { outcome: 'same' };
      else {
        const names = wrong.map(({ key }) => key);
        const told = { kind: kind.plural, names: names.slice(0, 5), count: names.length };
        log.error(told, 'the watch has lost changes, listing again');
        const listed = this.#nextList();
        informer.relist();
        await listed;
        const left = await this.#confirmed(await this.#lookAgain(names));
        if (left.length > 0) log.error(told, 'a new list did not put it right');
        result = { outcome: left.length > 0 ? 'wrong' : 'healed', names };
      }
    } catch (error) {
      log.debug({ err: error, kind: kind.plural }, 'self-check: the API server could not be asked');
      result = { outcome: 'unknown', error };
    }
    if (!this.#stopped.signal.aborted) onResult?.(result);
  }

  /** What differs, and has for a while. */
  async #wrong(): Promise<Difference[]> {
    const sample = await this.#sample();
    const found = sample.length === 0 && !(await this.#countIsRight()) ? await this.#walk({}) : sample;
    return await this.#confirmed(found.slice(0, MOST_SUSPECTS));
  }

  async #confirmed(suspects: readonly Difference[]): Promise<Difference[]> {
    if (suspects.length === 0) return [];
    await this.#pause(this.#timing.grace);
    const wrong: Difference[] = [];
    for (const suspect of suspects) {
      const api = await this.#ask(suspect.key);
      const now = this.#seen(suspect.key, api);
      // Where either has moved on meanwhile, it lives: another check will see.
      if (now.api !== now.copy && now.api === suspect.api && now.copy === suspect.copy) wrong.push(now);
    }
    return wrong;
  }

  async #lookAgain(keys: readonly string[]): Promise<Difference[]> {
    const seen: Difference[] = [];
    for (const key of keys) seen.push(this.#seen(key, await this.#ask(key)));
    return seen.filter(({ api, copy }) => api !== copy);
  }

  /** Some namespaces in turn, or the first objects of what has none. */
  async #sample(): Promise<Difference[]> {
    const { kind, informer } = this.#options;
    if (!kind.namespaced) return await this.#walk({ most: SAMPLE });
    const namespaces = [...new Set(informer.list().map(({ metadata }) => metadata.namespace ?? ''))].sort();
    const after = namespaces.filter((name) => name > this.#lastNamespace);
    const found: Difference[] = [];
    let left = SAMPLE;
    for (const namespace of [...after, ...namespaces.filter((name) => name <= this.#lastNamespace)]) {
      if (left <= 0) break;
      this.#lastNamespace = namespace;
      found.push(...(await this.#walk({ namespace, most: left })));
      left -= Math.max(1, informer.list(namespace).length);
    }
    return found;
  }

  /** Tried several times where things change. True where the API does not tell the number, as with selectors. */
  async #countIsRight(): Promise<boolean> {
    const { client, kind, informer, selection } = this.#options;
    for (let tries = 0; tries < 3; tries++) {
      if (tries > 0) await this.#pause(this.#timing.grace / 2);
      const { items, metadata } = await client.list(kind, { ...selection, limit: 1 });
      if (metadata.continue && metadata.remainingItemCount === undefined) return true;
      if (items.length + (metadata.remainingItemCount ?? 0) === informer.list().length) return true;
    }
    return false;
  }

  /** All objects, or the first of them, a page at a time; nothing of them is kept but their versions. */
  async #walk({ namespace, most = Infinity }: { namespace?: string; most?: number }): Promise<Difference[]> {
    const { client, kind, selection, informer } = this.#options;
    const api = new Map<string, Version>();
    let page: { continue?: string } = {};
    let listedAt = '';
    for (;;) {
      const where = namespace === undefined ? {} : { namespace };
      const list = await client.list(kind, { ...selection, ...where, limit: Math.min(SAMPLE, most), ...page });
      if (this.#stopped.signal.aborted) return [];
      listedAt = list.metadata.resourceVersion;
      for (const item of list.items) api.set(keyOf(item), versionOf(item));
      const isWhole = !list.metadata.continue;
      if (isWhole || api.size >= most) {
        return differences(api, informer.list(namespace), { listedAt, isWhole });
      }
      page = { continue: list.metadata.continue ?? '' };
    }
  }

  /** Undefined: there is none, or none any more that is selected. */
  async #ask(key: string): Promise<Version | undefined> {
    const { client, kind, selection } = this.#options;
    const [namespace, name = ''] = key.split('/');
    const fieldSelector = [selection.fieldSelector, `metadata.name=${name}`].filter(Boolean).join(',');
    const where = kind.namespaced && namespace !== undefined ? { namespace } : {};
    const { items } = await client.list(kind, { ...selection, ...where, fieldSelector });
    const item = items.find((each) => keyOf(each) === key);
    return item && versionOf(item);
  }

  #seen(key: string, api: Version | undefined): Difference {
    const [namespace, name = ''] = key.split('/');
    const { informer, kind } = this.#options;
    const copy = kind.namespaced ? informer.get(name, namespace) : informer.get(name);
    return { key, api, copy: copy && versionOf(copy) };
  }

  #nextList(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        unsubscribe();
        resolve();
      };
      const unsubscribe = this.#options.informer.onList(done);
      this.#stopped.signal.addEventListener('abort', done, { once: true });
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve, true);
      this.#stopped.signal.addEventListener(
        'abort',
        () => {
          cancel();
          resolve();
        },
        { once: true },
      );
    });
  }
}
