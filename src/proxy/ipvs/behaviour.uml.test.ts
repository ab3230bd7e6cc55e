/** What is ipvs mode's own, with a real kernel: schedulers, draining, device, restart, and what belongs to others. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { HostError } from '../../host/exec.ts';
import { chooseIptables } from '../../host/iptables.ts';
import { createIpvsTools } from '../../host/ipvs-tools.ts';
import { FakeSysctl, sysctl } from '../../host/sysctl.ts';
import { silentLog, type Log } from '../../lib/log.ts';
import { defaultIpvsSettings, type BackendContext, type IpvsSettings } from '../backend.ts';
import type { Plan, ServicePort } from '../plan/types.ts';
import { loadScenario, scenarios, WORLD, type PodName } from '../scenarios/index.ts';
import { withoutEndpoint, wholePlan } from '../scenarios/kernel-suite.ts';
import { ask, KernelWorld } from '../scenarios/kernel-world.ts';
import { IpvsApplier } from './apply.ts';
import { ipvsBackend } from './backend.ts';
import { ipvsMode } from './mode.ts';
import { SCHEDULERS } from './settings.ts';

requireOuterNamespace();

let world: KernelWorld;
const processes: ChildProcess[] = [];

const contextWith = (ipvs: Partial<IpvsSettings> = {}, more: Partial<BackendContext> = {}): BackendContext => ({
  family: 'IPv4',
  log: silentLog,
  exec: (...args) => world.onNode(...args),
  sysctl,
  masqueradeBit: 14,
  ipvs: { ...defaultIpvsSettings, ...ipvs },
  ...more,
});

const planOf = (name: string): Plan => {
  const scenario = scenarios.find((one) => one.name === name);
  assert.ok(scenario, name);
  return loadScenario(scenario, { traits: ipvsMode.traits('IPv4') }).plan;
};
/** The Plan with its only Service changed. */
const changed = (plan: Plan, change: (service: ServicePort) => Partial<ServicePort>): Plan => ({
  ...plan,
  servicePorts: plan.servicePorts.map((service) => ({ ...service, ...change(service) })),
});
const run = async (file: string, ...args: string[]): Promise<string> => (await world.onNode(file, args)).stdout;
const listed = () => run('ipvsadm', '-ln');

/** What was saved, without times, counters and tables that came into being because somebody looked. */
const stable = (saved: string): string[] =>
  saved.split('\n').filter((line) => /^(?:-A|:\S+ - |create|add|TCP|UDP|FWM| {2}->)/.test(line));

/** Asks again until true; fails after 20 s. */
async function eventually(test: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await test())) {
    assert.ok(Date.now() < end, 'not within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Resolves when it says that it is ready. */
async function start(pod: PodName, file: string, ...args: string[]): Promise<void> {
  const child = spawn('nsenter', [`--net=/run/netns/${pod}`, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => {
      resolve();
    });
    child.once('exit', () => {
      reject(new Error(`${file} ended`));
    });
  });
}

const support = (name: string) => fileURLToPath(new URL(`../../../test/support/${name}`, import.meta.url));

before(async () => {
  world = await KernelWorld.create();
});
/** Only where the next test needs an empty kernel: a full sync makes anything out of anything. */
const cleanUp = () => ipvsBackend.cleanup(contextWith());
after(async () => {
  for (const child of processes) child.kill();
  await world.close();
});

const target = () => ask('IPv4', '10.96.0.20', 80);
const nameOf = (answer: string | undefined) => answer?.split(':')[0] ?? '';

it('shows what people look for with ipvsadm -ln (W18)', async () => {
  const backend = await ipvsBackend.create(contextWith());
  await backend.sync(wholePlan(planOf('node-port')));
  const shown = await listed();
  for (const address of ['10.96.0.30:80', '172.30.0.11:30380', '10.244.1.1:30380']) {
    const pattern = new RegExp(`^TCP  ${address} rr\\n(?:  -> \\S+:9376 +Masq    1 .*\\n){3}`, 'm');
    assert.match(shown, pattern);
  }
  await backend.stop();
});

describe('schedulers', () => {
  for (const scheduler of SCHEDULERS) {
    it(`${scheduler} serves`, async () => {
      const backend = await ipvsBackend.create(contextWith({ scheduler }));
      await backend.sync(wholePlan(planOf('cluster-ip')));
      assert.match(await listed(), new RegExp(`^TCP  10\\.96\\.0\\.20:80 ${scheduler}\\b`, 'm'));
      const got = await world.ask('client', { ...target(), until: ['nobody'], tries: 6 });
      for (const answer of got) assert.match(answer, /^(?:own|far)-[ab]:9376 /);
      if (scheduler === 'rr') assert.equal(got.length, 3);
      if (scheduler === 'sh' || scheduler === 'dh') assert.equal(got.length, 1);
      await backend.stop();
    });
  }

  it('changes the scheduler of what is there, and connections go on', async () => {
    const [first, second] = [
      await ipvsBackend.create(contextWith()),
      await ipvsBackend.create(contextWith({ scheduler: 'lc' })),
    ];
    await first.sync(wholePlan(planOf('cluster-ip')));
    await second.sync(wholePlan(planOf('cluster-ip')));
    assert.match(await listed(), /^TCP {2}10\.96\.0\.20:80 lc *$/m);
  });

  it('says which schedulers there are when asked for another', async () => {
    for (const scheduler of ['fastest', '-C', 'rr -p']) {
      await assert.rejects(
        ipvsBackend.create(contextWith({ scheduler })),
        (error) =>
          error instanceof HostError && error.message.includes(`no scheduler "${scheduler}" (there are rr, wrr,`),
      );
    }
    assert.doesNotMatch(await listed(), /FWM/);
  });
});

it('keeps a client with its endpoint for as many seconds as the Service says (trap T18)', async () => {
  const backend = await ipvsBackend.create(contextWith());
  await backend.sync(wholePlan(planOf('session-affinity')));
  assert.match(await listed(), /^TCP {2}10\.96\.0\.40:80 rr persistent 10$/m);
  await backend.sync(wholePlan(changed(planOf('session-affinity'), () => ({ affinitySeconds: 10_800 }))));
  assert.match(await listed(), /^TCP {2}10\.96\.0\.40:80 rr persistent 10800$/m);
  await backend.sync(wholePlan(changed(planOf('session-affinity'), () => ({ affinitySeconds: undefined }))));
  assert.match(await listed(), /^TCP {2}10\.96\.0\.40:80 rr *$/m);
  await backend.stop();
});

describe('an endpoint that goes', () => {
  /** Through the cluster IP, from the node, to an endpoint that keeps connections open. */
  async function open(): Promise<{ socket: Socket; name: string; echo: (text: string) => Promise<string> }> {
    const socket = connect({ host: '10.96.0.20', port: 80 });
    socket.setEncoding('utf8');
    const next = () =>
      new Promise<string>((resolve, reject) => {
        socket.once('data', (text: string) => {
          resolve(text.trim());
        });
        socket.once('error', reject);
      });
    const name = await next();
    const echo = (text: string) => {
      socket.write(`${text}\n`);
      return next();
    };
    return { socket, name, echo };
  }
  const echoPlan = () =>
    changed(planOf('cluster-ip'), ({ clusterEndpoints }) => ({
      clusterEndpoints: clusterEndpoints
        .filter((one) => one.local)
        .map((one) => ({ ...one, port: 7000, address: `${one.ip}:7000` })),
    }));

  it('keeps its connections and gets no new ones; back again, it gets its share (3-123)', async () => {
    for (const pod of ['own-a', 'own-b'] as const)
      await start(pod, process.execPath, support('uml-echo.ts'), pod, '7000');
    const { iptables } = await chooseIptables({ exec: world.onNode });
    const tools = createIpvsTools({ exec: world.onNode });
    const applier = new IpvsApplier({ family: 'IPv4', tools, iptables, scheduler: 'rr', excludeCIDRs: [] });
    const plan = echoPlan();
    await applier.sync(wholePlan(plan));
    const connection = await open();
    assert.equal(await connection.echo('one'), 'one');
    const { ip } = WORLD.pods[connection.name as PodName];
    const weight = (value: number) => new RegExp(`^  -> ${ip}:7000 +Masq    ${String(value)} `, 'm');

    await applier.sync(wholePlan(withoutEndpoint(plan, ip)));
    assert.match(await listed(), weight(0));
    assert.equal(applier.draining, 1);
    assert.equal(await connection.echo('two'), 'two');
    for (let tries = 0; tries < 4; tries++) {
      const other = await open();
      assert.notEqual(other.name, connection.name);
      other.socket.resetAndDestroy();
    }
    // a new proxy knows it as going, too
    const next = new IpvsApplier({ family: 'IPv4', tools, iptables, scheduler: 'rr', excludeCIDRs: [] });
    await next.sync(wholePlan(withoutEndpoint(plan, ip)));
    assert.equal(next.draining, 1);
    assert.equal(await connection.echo('three'), 'three');

    await applier.sync(wholePlan(plan));
    assert.match(await listed(), weight(1));
    assert.equal(applier.draining, 0);

    await applier.sync(wholePlan(withoutEndpoint(plan, ip)));
    connection.socket.resetAndDestroy();
    await eventually(async () => {
      await applier.review();
      return applier.draining === 0;
    });
    assert.doesNotMatch(await listed(), new RegExp(`-> ${ip}:7000`));
  });

  it('is deleted at once when no connection holds it, and in UDP always', async () => {
    const backend = await ipvsBackend.create(contextWith());
    for (const name of ['cluster-ip-two-ports', 'node-port-udp']) {
      await backend.sync(wholePlan(planOf(name)));
      if (name === 'node-port-udp') await world.ask('client', { ...ask('IPv4', '10.96.0.30', 80), protocol: 'UDP' });
      await backend.sync(wholePlan(withoutEndpoint(planOf(name), WORLD.pods['own-a'].ip)));
      assert.doesNotMatch(await listed(), /-> 10\.244\.1\.5:/, name);
    }
    await backend.stop();
  });
});

describe('the device', () => {
  it('answers no ARP and holds the addresses of Services, never one of the node (3-111, trap T19)', async () => {
    const backend = await ipvsBackend.create(contextWith());
    const own = [WORLD.node.ip, WORLD.node.podGateway];
    await backend.sync(wholePlan(changed(planOf('external-ips'), () => ({ externalIPs: ['172.30.0.150', ...own] }))));
    const shown = await run('ip', 'address', 'show', 'dev', 'kube-ipvs0');
    assert.match(shown, /NOARP/);
    assert.deepEqual(
      [...shown.matchAll(/inet (\S+)/g)].map(([, cidr]) => cidr),
      ['10.96.0.30/32', '172.30.0.150/32'],
    );
    assert.match(await listed(), /^TCP {2}172\.30\.0\.11:80 rr/m);
    const got = await world.ask('outside', ask('IPv4', WORLD.node.ip, 80));
    assert.match(got[0] ?? '', /^(?:own|far)-/);
    await backend.stop();
  });

  it('leaves other links silent about them when told to (strictARP, 3-114)', async () => {
    await (await ipvsBackend.create(contextWith({ strictARP: true }))).stop();
    assert.equal(await sysctl.read('net.ipv4.conf.all.arp_ignore'), '1');
    assert.equal(await sysctl.read('net.ipv4.conf.all.arp_announce'), '2');
    for (const name of ['arp_ignore', 'arp_announce']) await sysctl.write(`net.ipv4.conf.all.${name}`, '0');
  });

  it('settings that cannot be changed are warned about and stop nothing (trap T24)', async () => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields: unknown, text: string) => void warnings.push(text) } as Log;
    const backend = await ipvsBackend.create(contextWith({ tcpTimeout: 800 }, { sysctl: new FakeSysctl(), log }));
    await backend.sync(wholePlan(planOf('cluster-ip')));
    assert.ok(warnings.some((text) => text.startsWith('net.ipv4.vs.conntrack cannot be set to 1: ')));
    assert.match(await run('ipvsadm', '-l', '--timeout'), /800 \d+ \d+$/m);
    await backend.stop();
  });
});

describe('what others made', () => {
  it('is neither changed nor cleaned up (trap T13)', async () => {
    await cleanUp();
    await run('ipvsadm', '-A', '-t', '172.30.0.11:9999', '-s', 'wlc');
    await run('ipvsadm', '-A', '-f', '7', '-s', 'rr');
    await run('ipset', 'create', 'THEIRS', 'hash:ip');
    const { iptables } = await chooseIptables({ exec: world.onNode });
    await iptables.restore('*nat\n:THEIRS - [0:0]\n-A PREROUTING -j THEIRS\nCOMMIT\n');
    const before = [await iptables.save(), await listed(), await run('ipset', 'save')].map(stable);
    const backend = await ipvsBackend.create(contextWith());
    await backend.sync(wholePlan(planOf('load-balancer-local')));
    await backend.stop();
    const removed = await ipvsBackend.cleanup(contextWith());
    assert.equal(removed.length, 4);
    assert.deepEqual([await iptables.save(), await listed(), await run('ipset', 'save')].map(stable), before);
    assert.deepEqual(await ipvsBackend.cleanup(contextWith()), []);
    await run('ipvsadm', '-C');
    await run('ipset', 'destroy', 'THEIRS');
    await iptables.restore('*nat\n:THEIRS - [0:0]\n-D PREROUTING -j THEIRS\n-X THEIRS\nCOMMIT\n');
  });

  it('stays inside excludeCIDRs, even at an address of ours (3-124)', async () => {
    const backend = await ipvsBackend.create(contextWith({ excludeCIDRs: ['10.96.0.128/25'] }));
    await backend.sync(wholePlan(planOf('cluster-ip')));
    for (const ip of ['10.96.0.200', '10.96.0.100']) {
      await run('ip', 'address', 'add', `${ip}/32`, 'dev', 'kube-ipvs0');
      await run('ipvsadm', '-A', '-t', `${ip}:80`, '-s', 'rr');
    }
    backend.distrust();
    await backend.sync(wholePlan(planOf('cluster-ip')));
    assert.match(await listed(), /^TCP {2}10\.96\.0\.200:80/m);
    assert.doesNotMatch(await listed(), /10\.96\.0\.100:80/);
    await backend.stop();
    await run('ipvsadm', '-C');
  });

  const takers: [string, string[]][] = [
    ['ipvsadm -C', ['ipvsadm', '-C']],
    ['ip link delete kube-ipvs0', ['ip', 'link', 'delete', 'kube-ipvs0']],
    ['iptables -t nat -F', ['iptables-legacy', '-t', 'nat', '-F']],
  ];
  for (const [title, [file = '', ...args]] of takers) {
    it(`${title} is seen and mended`, async () => {
      const backend = await ipvsBackend.create(contextWith());
      await backend.sync(wholePlan(planOf('node-port')));
      assert.equal(await backend.isIntact(), true);
      await run(file, ...args);
      assert.equal(await backend.isIntact(), false);
      backend.distrust();
      await backend.sync(wholePlan(planOf('node-port')));
      assert.equal(await backend.isIntact(), true);
      const got = await world.ask('outside', ask('IPv4', WORLD.node.ip, 30380));
      assert.match(got[0] ?? '', /^(?:own|far)-/);
      await backend.stop();
    });
  }
});

it('over netlink and through the tools the kernel comes to hold the same, and each adopts what the other wrote', async () => {
  const { iptables } = await chooseIptables({ exec: world.onNode });
  const programs = createIpvsTools({ exec: world.onNode });
  const { createIpvsNetlink } = await import('../../host/ipvs-netlink.ts');
  const netlink = createIpvsNetlink(programs, { family: 'IPv4' });
  for (const [scheduler, name] of [
    ['mh', 'load-balancer-local'],
    ['wlc', 'session-affinity'],
    ['rr', 'cluster-ip-two-ports'],
  ] as const) {
    const seen: string[][] = [];
    for (const tools of [programs, netlink]) {
      await cleanUp();
      const create = (by: typeof tools) =>
        new IpvsApplier({ family: 'IPv4', tools: by, iptables, scheduler, excludeCIDRs: [] });
      await create(tools).sync(wholePlan(planOf(name)));
      seen.push([await run('ipvsadm', '-S', '-n'), await run('ip', '-brief', 'address', 'show', 'dev', 'kube-ipvs0')]);
      const other = tools === netlink ? programs : netlink;
      assert.equal((await create(other).sync(wholePlan(planOf(name)))).changes, 0);
    }
    assert.deepEqual(seen[1], seen[0]);
  }
  netlink.close();
});

it('a Service the kernel refuses is left out and named, and the others are served', async () => {
  const backend = await ipvsBackend.create(contextWith());
  const plan = planOf('cluster-ip');
  const [service] = plan.servicePorts;
  assert.ok(service);
  const named = (name: string): ServicePort => ({ ...service, service: name, name: `default/${name}:` });
  // what no parser lets pass comes out of the same door as what a kernel refuses: by ipset, by ip, by ipvsadm
  const bad: ServicePort[] = [
    { ...named('a'), clusterIP: '10.96.0.300' },
    { ...named('b'), clusterIP: '10.96.0.21', affinitySeconds: 99_999_999_999 },
  ];
  const result = await backend.sync(wholePlan({ ...plan, servicePorts: [...bad, service] }));
  assert.deepEqual(
    result.refused.map((one) => one.service),
    ['a', 'b'],
  );
  const got = await world.ask('client', target());
  assert.match(got[0] ?? '', /^(?:own|far)-/);
  assert.doesNotMatch(await run('ipset', 'save'), /10\.96\.0\.21\b/);
  await backend.stop();
});

it('a switch to iptables mode leaves nothing of ipvs mode behind, and what both use stays', async () => {
  const backend = await ipvsBackend.create(contextWith());
  await backend.sync(wholePlan(planOf('node-port')));
  await backend.stop();
  const { iptablesBackend } = await import('../iptables/backend.ts');
  const other = await iptablesBackend.create(contextWith());
  const plan = planOf('node-port');
  await other.sync(wholePlan(plan));
  const removed = await ipvsBackend.cleanupBeside?.(contextWith(), 'iptables');
  assert.ok(removed && removed.length >= 4);
  // none of its rules went with those of the other mode
  other.distrust();
  assert.equal((await other.sync(wholePlan(plan))).changes, 0);
  const got = await world.ask('outside', {
    ...ask('IPv4', WORLD.node.ip, 30380),
    until: ['own-a:9376', 'far-a:9376'],
    tries: 40,
  });
  assert.ok(new Set(got.map(nameOf)).size >= 2, got.join(', '));
  const { iptables } = await chooseIptables({ exec: world.onNode });
  assert.doesNotMatch(await iptables.save(), /match-set|IPVS/);
  await other.stop();
  await iptablesBackend.cleanup(contextWith());
  await cleanUp();
});

it('a switch from iptables mode takes over what both use and leaves nothing else of it behind', async () => {
  await cleanUp();
  const { iptablesBackend } = await import('../iptables/backend.ts');
  const other = await iptablesBackend.create(contextWith());
  const plan = planOf('node-port');
  const refusing = planOf('no-endpoints');
  await other.sync(wholePlan({ ...plan, servicePorts: [...plan.servicePorts, ...refusing.servicePorts] }));
  await other.stop();
  const backend = await ipvsBackend.create(contextWith());
  await backend.sync(wholePlan(plan));
  assert.equal((await (await ipvsBackend.create(contextWith())).sync(wholePlan(plan))).changes, 0);
  const { iptables } = await chooseIptables({ exec: world.onNode });
  assert.doesNotMatch(
    await iptables.save(),
    /KUBE-(?:SVC|SEP|EXT)-[A-Z2-7]{16}|KUBE-NODEPORTS|KUBE-EXTERNAL-SERVICES|has no endpoints/,
  );
  const got = await world.ask('outside', ask('IPv4', WORLD.node.ip, 30380));
  assert.match(got[0] ?? '', /^(?:own|far)-/);
  await backend.stop();
  await cleanUp();
  assert.doesNotMatch((await iptables.save()).replaceAll('KUBE-FIREWALL', ''), /KUBE-/);
});
