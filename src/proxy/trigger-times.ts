/** When changes of endpoints that are not yet in force became true, as their slices say: for `network_programming_duration_seconds` (3-148). */
import type { EndpointSlice } from '../api/types.ts';
import type { Change } from '../client/client.ts';

const ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
/** While nothing can be written they pile up; these many tell as much. */
const MOST = 10_000;

export class TriggerTimes {
  readonly #since: number;
  #times: number[] = [];

  /** `since`, ms since the epoch: changes before it were in force, or late, without us. */
  constructor(since: number) {
    this.#since = since;
  }

  /** A slice that changed for another reason keeps its time, and is not counted once more. */
  add(change: Change<EndpointSlice>): void {
    if (change.type === 'deleted') return;
    const text = textOf(change.object);
    if (text === undefined || (change.type === 'updated' && textOf(change.old) === text)) return;
    const time = Date.parse(text);
    if (time >= this.#since && this.#times.length < MOST) this.#times.push(time);
  }

  take(): readonly number[] {
    const times = this.#times;
    this.#times = [];
    return times;
  }

  /** What was taken is not in force after all. */
  giveBack(times: readonly number[]): void {
    // the oldest wait longest
    this.#times = [...times, ...this.#times].slice(0, MOST);
  }
}

const textOf = (slice: EndpointSlice): string | undefined => slice.metadata.annotations?.[ANNOTATION];
