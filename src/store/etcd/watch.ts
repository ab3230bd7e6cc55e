/**
 * One watch of etcd that goes on for good: when its member dies or loses its leader it goes on at another one, behind the last revision told.
 * It ends only when that past has been compacted in the meantime.
 */
import { Compacted } from '../store.ts';
import type { EtcdClient, WatchCall } from './client.ts';
import { RevisionReader, type Revision, type WireWatchResponse } from './revisions.ts';

export interface EtcdWatchOptions {
  readonly client: EtcdClient;
  readonly key: string;
  readonly rangeEnd: string;
  readonly prefixLength: number;
  /** Told so far. */
  readonly after: number;
  readonly onRevision: (revision: Revision) => void;
  /** The watch is over: begin again with a list. */
  readonly onLost: (error: Compacted) => void;
}

const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 1000;

export class EtcdWatch {
  readonly #options: EtcdWatchOptions;
  #seen: number;
  #stream: WatchCall | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#seen = options.after;
    this.#open();
  }

  /** Everything up to here has been told. */
  get seen(): number {
    return this.#seen;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stream?.close();
  }

  /** Goes on at another member at once: this one does not tell what others know of. */
  moveOn(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#stream?.giveUp();
    this.#open();
  }

  #open(): void {
    const { client, key, rangeEnd, prefixLength } = this.#options;
    const reader = new RevisionReader(prefixLength);
    const create = { key, rangeEnd, startRevision: this.#seen + 1, progressNotify: true, prevKv: true, fragment: true };
    this.#stream = client.watch(create, {
      onResponse: (response) => {
        this.#take(reader, response as WireWatchResponse);
      },
      onEnd: () => {
        this.#again();
      },
    });
  }

  #take(reader: RevisionReader, response: WireWatchResponse): void {
    if (this.#closed) return;
    if (response.canceled) {
      this.#stream?.close();
      const { compactRevision } = response;
      if (compactRevision === 0) {
        this.#again();
        return;
      }
      this.close();
      this.#options.onLost(new Compacted(this.#seen, compactRevision));
      return;
    }
    if (!response.created) this.#failures = 0;
    for (const each of reader.read(response)) {
      if (each.revision <= this.#seen) continue;
      this.#seen = each.revision;
      this.#options.onRevision(each);
      if (this.#isClosed()) return;
    }
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  #again(): void {
    if (this.#closed) return;
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures, LONGEST_PAUSE) * (0.5 + Math.random() / 2);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#timer = setTimeout(() => {
      this.#open();
    }, pause);
  }
}
