/** Watch responses put together to whole revisions. Pure. */
import type { StoreEvent } from '../store.ts';

export interface WireKeyValue {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly value: string;
}

export interface WireEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: WireKeyValue;
  readonly prevKv: WireKeyValue | null;
}

export interface WireWatchResponse {
  readonly header: { readonly revision: number } | null;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** More of the same batch follows, perhaps of the same revision. */
  readonly fragment: boolean;
  readonly events: readonly WireEvent[];
}

export interface Revision {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

/** Holds back the last revision of a fragment, because the next one may go on with it. */
export class RevisionReader {
  readonly #prefixLength: number;
  #open: StoreEvent[] = [];

  /** @param prefixLength how much of every key is the datastore's own */
  constructor(prefixLength: number) {
    this.#prefixLength = prefixLength;
  }

  /** The revisions that are complete with this response, in order. One without events says that all up to it has been told. */
  read(response: WireWatchResponse): Revision[] {
    const { events, fragment, created, header } = response;
    if (events.length === 0) {
      return created || fragment || this.#open.length > 0 ? [] : [{ revision: header?.revision ?? 0, events: [] }];
    }
    const complete: Revision[] = [];
    const finish = () => {
      const [first] = this.#open;
      if (first) complete.push({ revision: first.revision, events: this.#open });
      this.#open = [];
    };
    for (const each of events) {
      const event = this.#event(each);
      if (this.#open[0] && this.#open[0].revision !== event.revision) finish();
      this.#open.push(event);
    }
    if (!fragment) finish();
    return complete;
  }

  #event({ type, kv, prevKv }: WireEvent): StoreEvent {
    const put = type === 'PUT';
    return {
      type: put ? 'put' : 'delete',
      key: kv.key.slice(this.#prefixLength),
      value: put ? kv.value : (prevKv?.value ?? ''),
      revision: kv.modRevision,
      createRevision: put ? kv.createRevision : (prevKv?.createRevision ?? 0),
      previous: prevKv?.value,
    };
  }
}
