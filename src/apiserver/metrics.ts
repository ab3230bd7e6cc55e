/** Counters of the server in Prometheus' text form (features 1-127, 8-100). */
import type { RequestInfo } from './routes.ts';

/** Upper bounds in seconds, as Kubernetes has them, thinned out. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 60];

interface Durations {
  readonly buckets: number[];
  sum: number;
  count: number;
}

export interface Gauge {
  readonly name: string;
  /** `gauge` where absent. */
  readonly type?: 'counter';
  readonly help: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Durations>();
  readonly #running = new Map<string, number>();
  readonly #inFlight = { mutating: 0, readOnly: 0 };
  readonly #deprecated = new Set<string>();

  /** A request has come; returns what to call when it is answered. A watch counts until it has begun. */
  begin(method: string): () => void {
    const kind = method === 'GET' || method === 'HEAD' ? 'readOnly' : 'mutating';
    this.#inFlight[kind] += 1;
    return () => {
      this.#inFlight[kind] -= 1;
    };
  }

  /** `seconds` undefined: a watch or stream, which is not timed. Unknown resources count as one, so labels stay few. */
  request(info: RequestInfo, code: number, seconds: number | undefined): void {
    const labels = labelsOf(info);
    const key = labelText({ code: String(code), ...labels });
    this.#askDeprecated(info);
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    if (seconds === undefined) return;
    const name = labelText(labels);
    const durations = this.#durations.get(name) ?? { buckets: BUCKETS.map(() => 0), sum: 0, count: 0 };
    for (const [index, bound] of BUCKETS.entries()) {
      if (seconds <= bound) durations.buckets[index] = (durations.buckets[index] ?? 0) + 1;
    }
    durations.sum += seconds;
    durations.count += 1;
    this.#durations.set(name, durations);
  }

  #askDeprecated(info: RequestInfo): void {
    if (info.type === 'path' || !info.kind?.deprecated) return;
    const { group, version, plural: resource, deprecated } = info.kind;
    const [, removed_release = ''] = /unavailable in v([\d.]+)\+/.exec(deprecated) ?? [];
    const { subresource = '' } = labelsOf(info);
    this.#deprecated.add(labelText({ group, removed_release, resource, subresource, version }));
  }

  /** One more (1) or one fewer (-1) watch or stream. */
  longRunning(info: RequestInfo, by: 1 | -1): void {
    const key = labelText(labelsOf(info));
    this.#running.set(key, (this.#running.get(key) ?? 0) + by);
  }

  text(gauges: readonly Gauge[]): string {
    const lines = [
      '# HELP apiserver_request_total Requests by verb, resource and HTTP response code.',
      '# TYPE apiserver_request_total counter',
      ...[...this.#requests].map(([labels, value]) => `apiserver_request_total${labels} ${String(value)}`),
      '# HELP apiserver_current_inflight_requests Requests being answered, by kind.',
      '# TYPE apiserver_current_inflight_requests gauge',
      ...Object.entries(this.#inFlight).map(
        ([request_kind, value]) => `apiserver_current_inflight_requests${labelText({ request_kind })} ${String(value)}`,
      ),
      '# HELP apiserver_requested_deprecated_apis Deprecated APIs that have been asked for.',
      '# TYPE apiserver_requested_deprecated_apis gauge',
      ...[...this.#deprecated].map((labels) => `apiserver_requested_deprecated_apis${labels} 1`),
      '# HELP apiserver_longrunning_requests Watches and streams now open.',
      '# TYPE apiserver_longrunning_requests gauge',
      ...[...this.#running].map(([labels, value]) => `apiserver_longrunning_requests${labels} ${String(value)}`),
      '# HELP apiserver_request_duration_seconds Response latency.',
      '# TYPE apiserver_request_duration_seconds histogram',
      ...[...this.#durations].flatMap(([labels, durations]) => histogram(labels, durations)),
      ...gauges.flatMap(gaugeLines),
    ];
    return `${lines.join('\n')}\n`;
  }
}

/** A name is explained once, however many labels it has. */
function gaugeLines(gauge: Gauge, index: number, all: readonly Gauge[]): string[] {
  const { name, help, type = 'gauge', labels = {}, value } = gauge;
  const line = `${name}${labelText(labels)} ${String(value)}`;
  return all[index - 1]?.name === name ? [line] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, line];
}

/** As Kubernetes counts them: by the method of a write, not by what authorization calls it. */
const verbs: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT', head: 'GET' };
const component = 'apiserver';

function labelsOf(info: RequestInfo): Record<string, string> {
  const verb = verbs[info.verb] ?? info.verb.toUpperCase();
  const none = { component, group: '', resource: '', scope: '', subresource: '', verb, version: '' };
  if (info.type === 'path' || !info.kind) return none;
  const { kind, name, namespace, subresource } = info;
  return {
    component,
    group: kind.group,
    resource: kind.plural,
    scope: name !== undefined ? 'resource' : namespace !== undefined ? 'namespace' : 'cluster',
    subresource: subresource && kind.subresources.includes(subresource) ? subresource : '',
    verb,
    version: kind.version,
  };
}

function histogram(labels: string, { buckets, sum, count }: Durations): string[] {
  const name = 'apiserver_request_duration_seconds';
  const inner = labels.slice(1, -1);
  return [
    ...BUCKETS.map((bound, index) => `${name}_bucket{${inner},le="${String(bound)}"} ${String(buckets[index] ?? 0)}`),
    `${name}_bucket{${inner},le="+Inf"} ${String(count)}`,
    `${name}_sum${labels} ${String(sum)}`,
    `${name}_count${labels} ${String(count)}`,
  ];
}
