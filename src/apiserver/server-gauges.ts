/** What /metrics tells about the server itself and what it holds, under the names of kube-apiserver and of Prometheus' libraries (8-100). */
import type { Gauge } from './metrics.ts';
import { VERSION } from './version.ts';
import type { WatchCache } from './watch-cache.ts';

const startedAt = Date.now() / 1000 - process.uptime();

export function serverGauges(cache: WatchCache): Gauge[] {
  const { user, system } = process.cpuUsage();
  const { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler, platform } = VERSION;
  const build = { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler, platform };
  const kinds = [...cache.kinds()].map(({ kind: { group, plural }, size }) => ({ group, resource: plural, size }));
  const names = Object.entries(build).map(([name, value]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return [
    // Its name until 1.33, and the one since.
    ...kinds.map(({ group, resource, size }): Gauge => ({
      name: 'apiserver_storage_objects',
      help: 'Objects stored, by resource.',
      labels: { resource: group === '' ? resource : `${resource}.${group}` },
      value: size,
    })),
    ...kinds.map(({ group, resource, size }): Gauge => ({
      name: 'apiserver_resource_objects',
      help: 'Objects stored, by group and resource.',
      labels: { group, resource },
      value: size,
    })),
    {
      name: 'kubernetes_build_info',
      help: 'What is running, as /version tells it.',
      labels: Object.fromEntries(names) as Record<string, string>,
      value: 1,
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Time on the processor, in seconds.',
      value: (user + system) / 1e6,
    },
    { name: 'process_resident_memory_bytes', help: 'Memory in use.', value: process.memoryUsage.rss() },
    { name: 'process_start_time_seconds', help: 'When it began, in seconds since 1970.', value: startedAt },
  ];
}
