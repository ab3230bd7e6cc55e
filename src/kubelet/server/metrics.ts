/** The kubelet's metrics, few and plain, in the Prometheus text format. Pure. */
import type { Pod } from '../../api/types.ts';
import type { ProbeCount } from '../probes/index.ts';

const probeTypes = { startup: 'Startup', readiness: 'Readiness', liveness: 'Liveness' } as const;
const results = { success: 'successful', failure: 'failed', error: 'unknown' } as const;

export function renderMetrics(pods: readonly Pod[], probes: Iterable<ProbeCount>, residentBytes: number): string {
  const running = pods.filter((pod) => pod.status?.phase === 'Running').length;
  const lines = [
    '# HELP kubelet_running_pods Number of pods that have a running pod sandbox',
    '# TYPE kubelet_running_pods gauge',
    `kubelet_running_pods ${String(running)}`,
    '# HELP process_resident_memory_bytes Resident memory size in bytes.',
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${String(residentBytes)}`,
    '# HELP prober_probe_total Cumulative number of a liveness, readiness or startup probe for a container by result.',
    '# TYPE prober_probe_total counter',
  ];
  for (const { namespace, pod, podUid, container, type, result, count } of probes) {
    const labels = {
      container,
      namespace,
      pod,
      pod_uid: podUid,
      probe_type: probeTypes[type],
      result: results[result],
    };
    const text = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    lines.push(`prober_probe_total{${text.join(',')}} ${String(count)}`);
  }
  return `${lines.join('\n')}\n`;
}
