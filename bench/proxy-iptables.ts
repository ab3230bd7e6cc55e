/**
 * How long one changed endpoint takes to be in force with 1,000 Services of three endpoints, from the event to the end of the write,
 * and what the tool itself takes for the same bytes. One JSON line per figure.
 * scripts/in-outer-namespace node bench/proxy-iptables.ts [SERVICES] [CHANGES]
 */
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import type { KubeObject } from '../src/api/types.ts';
import { FakeClient } from '../src/client/fake-client.ts';
import { createIptables, type Iptables, type IptablesVariant } from '../src/host/iptables.ts';
import { silentLog } from '../src/lib/log.ts';
import { iptablesBackendOf } from '../src/proxy/iptables/backend.ts';
import { runProxy } from '../src/proxy/run.ts';
import { report as reportFigure } from './report.ts';

requireOuterNamespace();

const SERVICES = Number(process.argv[2] ?? 1000);
const CHANGES = Number(process.argv[3] ?? 50);
const variant = (process.env['IPTABLES_VARIANT'] ?? 'legacy') as IptablesVariant;

const report = (figure: string, samples: number[], floor?: number[]) => {
  reportFigure({
    figure: `proxy, iptables-${variant}, ${String(SERVICES)} Services: ${figure}`,
    unit: 'ms',
    samples,
    ...(floor && { floor }),
  });
};

const ipOf = (at: number, low: number) => `10.${String(low)}.${String(Math.floor(at / 250))}.${String((at % 250) + 1)}`;

function serviceOf(at: number): KubeObject {
  const spec = { clusterIP: ipOf(at, 96), ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${String(at)}`, namespace: 'bench' },
    ...{ spec },
  };
}

function sliceOf(at: number, round: number): KubeObject {
  const labels = { 'kubernetes.io/service-name': `s${String(at)}` };
  const ips = [ipOf(at, 200), ipOf(at, 201), ipOf(at, round % 2 === 0 ? 202 : 203)];
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `s${String(at)}-x`, namespace: 'bench', labels },
    ...{
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: ips.map((ip) => ({ addresses: [ip] })),
    },
  };
}

const real = createIptables(variant);
let written: (text: string) => void = () => undefined;
const watched: Iptables = {
  ...real,
  restore: async (text) => {
    await real.restore(text);
    written(text);
  },
};

const client = new FakeClient();
for (let at = 0; at < SERVICES; at++) {
  client.seed(serviceOf(at));
  client.seed(sliceOf(at, 0));
}
const start = performance.now();
const proxy = runProxy({
  client,
  nodeName: 'bench',
  nodeIps: ['172.30.0.11'],
  mode: 'iptables',
  clusterCidr: '10.192.0.0/10',
  healthzBindAddress: '',
  metricsBindAddress: '',
  log: silentLog,
  host: { backend: () => Promise.resolve(iptablesBackendOf(watched)) },
});
await proxy.synced;
report('first sync', [performance.now() - start]);

const changes: number[] = [];
const floors: number[] = [];
for (let round = 1; round <= CHANGES; round++) {
  const at = (round * 37) % SERVICES;
  const begin = performance.now();
  const text = await new Promise<string>((resolve) => {
    written = resolve;
    client.seed(sliceOf(at, Math.floor((round - 1) / SERVICES) + 1));
  });
  changes.push(performance.now() - begin);
  // the pause after a sync is over before the next change comes
  await new Promise((resolve) => setTimeout(resolve, 60));
  const again = performance.now();
  // its first lines make the chains it deletes, so it can be given again as it is
  await real.restore(text);
  floors.push(performance.now() - again);
}
report(
  'one endpoint changed, from the event to the rules in force (floor: iptables-restore of the same bytes)',
  changes,
  floors,
);

const timed = async (times: number, task: () => Promise<unknown>) => {
  const samples: number[] = [];
  for (let round = 0; round < times; round++) {
    const begin = performance.now();
    await task();
    samples.push(performance.now() - begin);
  }
  return samples;
};
const jump = ['PREROUTING', '-m', 'comment', '--comment', 'kubernetes service portals', '-j', 'KUBE-SERVICES'];
report('look for a foreign flush', await timed(10, () => real.check([{ table: 'nat', rule: jump }])));
report('iptables-save', await timed(5, () => real.save()));
await proxy.stop();
