/** What this process costs, under the names every Prometheus client library uses. */
import { Value } from './prometheus.ts';

const startedAt = Date.now() / 1000 - process.uptime();

export function renderProcessMetrics(): string {
  const metric = (type: 'counter' | 'gauge', name: string, help: string, value: number) => {
    const one = new Value(type, name, help);
    one.set(value);
    return one.render();
  };
  const { user, system } = process.cpuUsage();
  return [
    metric('counter', 'process_cpu_seconds_total', 'Time on the processor, in seconds', (user + system) / 1e6),
    metric('gauge', 'process_resident_memory_bytes', 'Memory in use', process.memoryUsage.rss()),
    metric('gauge', 'process_start_time_seconds', 'When it began, in seconds since 1970', startedAt),
  ].join('');
}
