/** The self-check of a watch, and where its results show: metrics, and `health` where a new list did not help. */
import type { KubeObject } from '../../../api/types.ts';
import { Value, type NamedMetric } from '../../../lib/prometheus.ts';
import type { Runtime } from '../../plugin.ts';
import { startSelfCheck, type SelfCheckOptions } from '../../self-check/self-check.ts';

type Watched<T extends KubeObject> = Pick<SelfCheckOptions<T>, 'client' | 'kind' | 'informer' | 'selection' | 'timing'>;

/** Returns how to stop. */
export function keepTrue<T extends KubeObject>(runtime: Runtime, watched: Watched<T>): () => void {
  const { metrics, log, clock, random, ailments } = runtime;
  const { kind, informer, selection } = watched;
  const { labelSelector, fieldSelector } = selection;
  const checks = metrics.add(
    new Value('counter', 'fairway_dns_self_checks_total', 'Copies held against the API, by what came of it.', []),
  );
  const ages = metrics.add(new EventAges());
  const who = `watch of ${kind.plural}`;
  ages.ageOf.set(kind.plural, () => (clock.now() - informer.lastEventAt) / 1000);
  const stop = startSelfCheck<T>({
    ...watched,
    selection: { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) },
    ...{ log, clock, random },
    onResult({ outcome }) {
      checks.add(1, { kind: kind.plural, outcome });
      if (outcome === 'wrong') ailments.set(who, 'differs from the API, and listing again does not help');
      else if (outcome !== 'unknown') ailments.delete(who);
    },
  });
  return () => {
    stop();
    ailments.delete(who);
    ages.ageOf.delete(kind.plural);
  };
}

/** How long ago each watch has heard anything, worked out when somebody reads it: bookmarks come once a minute at least. */
class EventAges implements NamedMetric {
  readonly name = 'fairway_dns_watch_last_event_age_seconds';
  readonly ageOf = new Map<string, () => number>();

  render(): string {
    const value = new Value('gauge', this.name, 'Since a watch has heard an event or a bookmark in seconds.', []);
    for (const [kind, age] of this.ageOf) value.set(age(), { kind });
    return value.render();
  }
}
