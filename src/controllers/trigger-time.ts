/** When the change that a write of endpoints answers to happened: so that anyone can measure how long it took to take effect (2-024). */
import type { Pod, Service } from '../api/types.ts';

interface Seen {
  readonly service: string;
  readonly pods: ReadonlyMap<string, string>;
}

export interface TriggerNews {
  /** The earliest time that is later than at the last commit; the Service's creation at the first. Undefined: nothing new. */
  readonly time: string | undefined;
  /** To be called once the write has succeeded, so that a failed one keeps its time. */
  commit(): void;
}

/**
 * Keeps, per Service, the times of the last sync. Times are RFC 3339 in UTC to the second, so their text order is their time order.
 */
export class TriggerTimes {
  readonly #seen = new Map<string, Seen>();

  observe(key: string, service: Service, pods: readonly Pod[]): TriggerNews {
    const now: Seen = {
      service: service.metadata.creationTimestamp ?? '',
      pods: new Map(pods.map((pod) => [pod.metadata.name, podTime(pod)])),
    };
    return {
      time: earliestNews(this.#seen.get(key), now),
      commit: () => {
        this.#seen.set(key, now);
      },
    };
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

function earliestNews(before: Seen | undefined, now: Seen): string | undefined {
  if (!before) return now.service === '' ? undefined : now.service;
  const news = [...now.pods].filter(([name, time]) => time > (before.pods.get(name) ?? '')).map(([, time]) => time);
  if (now.service > before.service) news.push(now.service);
  return news.sort()[0];
}

/** The last time a Pod turned ready or unready; '' where it never did. */
function podTime(pod: Pod): string {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '';
}
