/** VictoriaMetrics as a scraper that finds its targets by itself, with a configuration Prometheus would take. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { end, present, start } from './tools.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Target {
  readonly job: string;
  /** What the API server said of it, before any relabelling: `__address__` and the `__meta_kubernetes_*`. */
  readonly discovered: Labels;
}

export interface Scraper {
  /** Of all jobs, whether or not anybody listens there. */
  targets(): Promise<Target[]>;
  /** A PromQL query at this moment: the labels of every series, and its value. */
  query(expression: string): Promise<{ labels: Labels; value: number }[]>;
  /** What it counts of itself: the value of each series of that name. */
  ownMetric(name: string): Promise<number[]>;
  /** All it has logged. */
  text(): string;
  stop(): Promise<void>;
}

interface TargetsAnswer {
  data: { activeTargets: { labels: Labels; discoveredLabels: Labels }[] };
}
interface QueryAnswer {
  data: { result: { metric: Labels; value: [number, string] }[] };
}

/** It asks the server to end each watch after nine tenths of the longest request it allows, in whole seconds: after one. */
const LONGEST_REQUEST = '2200ms';

/** On 127.0.0.1 of the test's own namespace, keeping everything in `folder`. */
export function startScraper(folder: string, scrapeConfigs: readonly object[]): Scraper {
  const file = join(folder, 'scrape.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: scrapeConfigs }));
  const address = '127.0.0.1:18428';
  const flags = [
    `-httpListenAddr=${address}`,
    `-storageDataPath=${join(folder, 'data')}`,
    `-promscrape.config=${file}`,
    '-promscrape.kubernetesSDCheckInterval=1s',
    `-promscrape.kubernetes.apiServerTimeout=${LONGEST_REQUEST}`,
    '-promscrape.suppressScrapeErrors',
    '-memory.allowedBytes=64MB',
    // Otherwise what was scraped can be asked for only half a minute later.
    '-search.latencyOffset=0s',
  ];
  const child = start(present('/usr/bin/victoria-metrics'), flags, {});
  const get = async (path: string): Promise<string> => {
    const answer = await fetch(`http://${address}${path}`);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${String(answer.status)} ${text}`);
    return text;
  };
  return {
    async targets() {
      const { data } = JSON.parse(await get('/api/v1/targets?state=active')) as TargetsAnswer;
      return data.activeTargets.map(({ labels, discoveredLabels }) => ({
        job: labels['job'] ?? '',
        discovered: discoveredLabels,
      }));
    },
    async query(expression) {
      // Otherwise a series that was asked for too early stays unknown for 10 s.
      await get('/internal/force_flush');
      const path = `/api/v1/query?${String(new URLSearchParams({ query: expression }))}`;
      const { data } = JSON.parse(await get(path)) as QueryAnswer;
      return data.result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }));
    },
    async ownMetric(name) {
      const lines = (await get('/metrics')).split('\n').filter((line) => line.startsWith(`${name}{`));
      return lines.map((line) => Number(line.slice(line.lastIndexOf(' '))));
    },
    text: () => child.text(),
    stop: () => end(child),
  };
}
