/**
 * How long ipvs mode takes to write 2,500 Services of four endpoints into an empty kernel, against the same entries written by one program
 * each, and how long one changed endpoint takes. Under User-Mode Linux, whose kernel has IPVS; all of it is slower there, both sides alike.
 * Run by `make bench`; by hand:
 * scripts/in-uml node bench/proxy-ipvs.ts [SERVICES] [RUNS]
 */
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import { exec, type Exec } from '../src/host/exec.ts';
import { createIptables } from '../src/host/iptables.ts';
import { createIpvsNetlink } from '../src/host/ipvs-netlink.ts';
import { createIpvsTools } from '../src/host/ipvs-tools.ts';
import { sysctl } from '../src/host/sysctl.ts';
import { silentLog } from '../src/lib/log.ts';
import type { EndpointSlice, Service } from '../src/api/types.ts';
import { defaultIpvsSettings } from '../src/proxy/backend.ts';
import { IpvsApplier } from '../src/proxy/ipvs/apply.ts';
import { ipvsBackend } from '../src/proxy/ipvs/backend.ts';
import { compile } from '../src/proxy/ipvs/compile.ts';
import { ipvsMode } from '../src/proxy/ipvs/mode.ts';
import { createSetLine, setName } from '../src/proxy/ipvs/sets.ts';
import { renderServers } from '../src/proxy/ipvs/virtual-server.ts';
import { Planner } from '../src/proxy/plan/planner.ts';
import { defaultPlanOptions, type Plan } from '../src/proxy/plan/types.ts';
import { report } from './report.ts';

requireOuterNamespace();

const SERVICES = Number(process.argv[2] ?? 2500);
const RUNS = Number(process.argv[3] ?? 3);
const ENDPOINTS = 4;
/** One program for each of 30,000 entries takes minutes, so only this share is written that way; each entry takes as long as the next. */
const SHARE = Math.max(1, Math.floor(SERVICES / 50));

const ipOf = (net: number, at: number) => `10.${String(net)}.${String(Math.floor(at / 250))}.${String((at % 250) + 1)}`;

function serviceOf(at: number): Service {
  const spec = { clusterIP: ipOf(96, at), ports: [{ port: 80, protocol: 'TCP' }] };
  return { metadata: { name: `s${String(at)}`, namespace: 'bench' }, spec } as Service;
}

function sliceOf(at: number, round = 0): EndpointSlice {
  const nets = Array.from({ length: ENDPOINTS }, (_, index) => 200 + index + (index === 0 ? round * ENDPOINTS : 0));
  return {
    metadata: {
      name: `s${String(at)}-x`,
      namespace: 'bench',
      labels: { 'kubernetes.io/service-name': `s${String(at)}` },
    },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: nets.map((net) => ({ addresses: [ipOf(net, at)], nodeName: 'other' })),
  } as EndpointSlice;
}

const node = { name: 'bench', ips: ['172.30.0.11'], labels: {} };
const options = {
  ...defaultPlanOptions,
  ...ipvsMode.traits('IPv4'),
  detectLocal: { by: 'clusterCIDR', cidr: '10.192.0.0/10' } as const,
};

function plannerOf(count: number): Planner {
  const planner = new Planner(node, options);
  for (let at = 0; at < count; at++) {
    planner.setService(serviceOf(at));
    planner.setSlice(sliceOf(at));
  }
  return planner;
}

const context = {
  family: 'IPv4',
  log: silentLog,
  exec: exec as Exec,
  sysctl,
  masqueradeBit: 14,
  ipvs: defaultIpvsSettings,
} as const;

const timed = async (task: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await task();
  return performance.now() - start;
};

const applierOf = (tools = createIpvsNetlink(createIpvsTools(), { family: 'IPv4' })) =>
  new IpvsApplier({
    family: 'IPv4',
    tools,
    iptables: createIptables('legacy'),
    scheduler: 'rr',
    excludeCIDRs: [],
  });

/** The same entries, each by a program of its own, as ipvs proxies have been known to. */
async function oneByOne(plan: Plan): Promise<number> {
  const { sets, servers } = compile(plan);
  for (const id of sets.keys()) await exec('ipset', createSetLine(id, 'IPv4').split(' '));
  await exec('ip', ['link', 'add', 'kube-ipvs0', 'type', 'dummy']);
  let entries = 0;
  for (const [id, elements] of sets) {
    for (const element of elements) {
      await exec('ipset', ['add', setName(id, 'IPv4'), element]);
      if (id === 'IPVS-IPS') await exec('ip', ['address', 'add', `${element}/32`, 'dev', 'kube-ipvs0']);
      entries += id === 'IPVS-IPS' ? 2 : 1;
    }
  }
  for (const line of renderServers(servers).trim().split('\n')) {
    await exec('ipvsadm', line.split(' '));
    entries++;
  }
  return entries;
}

await (await ipvsBackend.create(context)).stop();
const planner = plannerOf(SERVICES);
const update = planner.update();
const whole = { plan: update.plan, changed: undefined, problems: update.problems };
const share = plannerOf(SHARE).update().plan;
const ours: number[] = [];
const batched: number[] = [];
const theirs: number[] = [];
const ratios: number[] = [];
let entries = 0;
for (let round = 0; round < RUNS; round++) {
  const slow = (await timed(async () => (entries = await oneByOne(share)))) * (SERVICES / SHARE);
  await ipvsBackend.cleanup(context);
  batched.push(await timed(() => applierOf(createIpvsTools()).sync(whole)));
  await ipvsBackend.cleanup(context);
  const fast = await timed(() => applierOf().sync(whole));
  if (round < RUNS - 1) await ipvsBackend.cleanup(context);
  ours.push(fast);
  theirs.push(slow);
  ratios.push(slow / fast);
}
const what = `proxy, ipvs under User-Mode Linux, ${String(SERVICES)} Services x ${String(ENDPOINTS)}`;
report({ figure: `${what}: full sync into an empty kernel`, unit: 'ms', samples: ours });
report({ figure: `${what}: the same through ipset, ipvsadm and ip in batches`, unit: 'ms', samples: batched });
report({
  figure: `${what}: one program for each of ${String((entries * SERVICES) / SHARE)} entries`,
  unit: 'ms',
  samples: theirs,
  note: `measured on ${String(SHARE)} Services, times ${String(SERVICES / SHARE)}`,
});
report({
  figure: `${what}: one program for each entry ÷ full sync`,
  unit: 'times',
  samples: ratios,
  note: 'goal: >= 15',
});

const applier = applierOf();
await applier.sync(whole);
const changes: number[] = [];
for (let round = 1; round <= 20; round++) {
  planner.setSlice(sliceOf((round * 37) % SERVICES, round));
  const next = planner.update();
  changes.push(await timed(() => applier.sync(next)));
}
report({ figure: `${what}: one endpoint changed, plan to kernel`, unit: 'ms', samples: changes });
const looks: number[] = [];
for (let round = 0; round < 10; round++) looks.push(await timed(() => applier.isIntact()));
report({ figure: `${what}: look whether all is intact`, unit: 'ms', samples: looks });
await ipvsBackend.cleanup(context);
