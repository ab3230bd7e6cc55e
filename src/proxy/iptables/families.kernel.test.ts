/** Both address families in both variants of the tool, on the real kernel: random changes, affinity, and how soon a foreign flush is mended. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { createConntrack } from '../../host/conntrack.ts';
import { exec, HostError, type Exec } from '../../host/exec.ts';
import { createIptables, isLockFailure } from '../../host/iptables.ts';
import { FakeSysctl } from '../../host/sysctl.ts';
import { silentLog } from '../../lib/log.ts';
import { Planner } from '../plan/planner.ts';
import { inIPv6 } from '../scenarios/ipv6.ts';
import { loadScenario, scenarios, WORLD } from '../scenarios/index.ts';
import { clusters, nodes, objectsOf, optionsWith } from '../scenarios/random-cluster.ts';
import { runProxy } from '../run.ts';
import { IptablesApplier, type IptablesSyncResult } from './apply.ts';
import { defaultIpvsSettings } from '../backend.ts';
import { cleanup, iptablesBackend, iptablesBackendOf, stampsFor } from './backend.ts';
import { ALL_FEATURES } from './features.ts';
import { iptablesMode } from './mode.ts';
import { serviceChain } from './names.ts';
import { probeFeatures } from './probe.ts';

requireOuterNamespace();

/** Both are this machine's own. */
const ENDPOINTS = ['10.244.1.5', '10.244.1.6'];
const [ENDPOINT = ''] = ENDPOINTS;
const SERVICE_IP = '10.96.0.20';

/** This process plays node and Pod at once: the way to the cluster IP leads back here. Words of `ip`. */
const PLACES = [...ENDPOINTS.map((ip) => ['addr', `${ip}/32`]), ['route', '10.96.0.0/16']];

async function place(verb: 'add' | 'del'): Promise<void> {
  for (const [object = '', where = ''] of PLACES) {
    await exec('ip', [object, verb, where, 'dev', 'lo']);
    await exec('ip', ['-6', object, verb, inIPv6(where), 'dev', 'lo']);
  }
}

before(() => place('add'));
after(() => place('del'));

for (const variant of ['legacy', 'nft'] as const) {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const read = <T>(value: T): T => (family === 'IPv6' ? inIPv6(value) : value);
    const iptables = createIptables(variant, { family });
    const planOf = (name: string) => {
      const scenario = scenarios.find((one) => one.name === name);
      assert.ok(scenario, name);
      return loadScenario(scenario, { family, traits: iptablesMode.traits(family) });
    };

    describe(`iptables-${variant}, ${family}`, () => {
      after(async () => {
        await cleanup(iptables);
      });

      it('has all that the rules are made of', async () => {
        assert.deepEqual(await probeFeatures(iptables), ALL_FEATURES);
      });

      it('what is written change by change is what a new proxy wants: it adopts it without writing', async () => {
        const stamps = await stampsFor(iptables, { family, exec, log: silentLog });
        assert.ok(stamps, 'the kernel must tell who writes');
        const options = optionsWith(iptablesMode.traits(family)).map(read);
        const steps = fc.array(fc.record({ at: fc.nat(2), now: fc.constantFrom('a', 'b', 'gone') }), {
          minLength: 3,
          maxLength: 6,
        });
        const samples = fc.sample(fc.tuple(clusters, clusters, steps, options, nodes.map(read)), {
          numRuns: 8,
          seed: 7,
        });
        let edited = 0;
        for (const [a, b, changes, some, node] of samples) {
          const choices = { a: a.map((one) => read(objectsOf(one))), b: b.map((one) => read(objectsOf(one))) };
          const planner = new Planner(node, some);
          const applier: IptablesApplier = new IptablesApplier(iptables, { stamps });
          const there: (ReturnType<typeof objectsOf> | undefined)[] = [];
          const set = (at: number, next: (typeof there)[number]) => {
            const last = there[at];
            for (const slice of last?.slices ?? []) planner.deleteSlice(slice);
            if (last) planner.deleteService(last.service);
            there[at] = next;
            if (next) planner.setService(next.service);
            for (const slice of next?.slices ?? []) planner.setSlice(slice);
          };
          for (const [at, one] of choices.a.entries()) set(at, one);
          await applier.apply(planner.update());
          for (const { at, now } of changes) {
            set(at, now === 'gone' ? undefined : choices[now === 'b' ? 'b' : 'a'][at]);
            const update = planner.update();
            const result: IptablesSyncResult = await applier.apply(update);
            edited += result.edited;
            assert.deepEqual({ kind: result.kind, refused: result.refused }, { kind: 'partial', refused: [] });
            const adopted = await new IptablesApplier(iptables).sync(update.plan);
            assert.deepEqual({ kind: adopted.kind, bytes: adopted.bytes }, { kind: 'full', bytes: 0 });
          }
        }
        stamps.close();
        assert.ok(edited > 0, 'no single rule was ever put in or taken out');
      });

      it('remembers clients while chains are written again, and forgets those of endpoints that are gone', async () => {
        const { plan } = planOf('session-affinity');
        const applier = new IptablesApplier(iptables);
        await applier.sync(plan);
        const lists = async () => (await readdir('/proc/net/xt_recent')).filter((one) => one.startsWith('KUBE-SEP-'));
        assert.equal((await lists()).length, 3);
        const [service] = plan.servicePorts;
        assert.ok(service);
        const left = service.clusterEndpoints.slice(0, 2);
        const result = await applier.sync({ ...plan, servicePorts: [{ ...service, clusterEndpoints: left }] });
        assert.deepEqual({ written: result.written, removed: result.removed }, { written: 1, removed: 1 });
        assert.equal((await lists()).length, 2);
      });

      it('a client stays with its endpoint for timeoutSeconds, and no longer (trap T18)', async (test) => {
        const servers = await Promise.all(ENDPOINTS.map((ip) => answering(read(ip))));
        test.after(() => {
          for (const server of servers) server.close();
        });
        const { plan } = planOf('session-affinity');
        const [service] = plan.servicePorts;
        assert.ok(service);
        const clusterEndpoints = service.clusterEndpoints.filter((one) => ENDPOINTS.map(read).includes(one.ip));
        assert.equal(clusterEndpoints.length, 2);
        const sticky = { ...service, clusterEndpoints, affinitySeconds: 1 };
        await new IptablesApplier(iptables).sync({ ...plan, servicePorts: [sticky] });
        const first = await whoAnswers(service.clusterIP, service.port);
        for (let tries = 0; tries < 20; tries++) {
          assert.equal(await whoAnswers(service.clusterIP, service.port), first);
        }
        let moved = false;
        for (let tries = 0; tries < 20 && !moved; tries++) {
          await pause(1200);
          moved = (await whoAnswers(service.clusterIP, service.port)) !== first;
        }
        assert.ok(moved, 'twenty times the same of two, each after the time was over');
      });

      it('affinity holds in the Local pool too', async () => {
        const { plan } = planOf('external-policy-local');
        const [service] = plan.servicePorts;
        assert.ok(service);
        await new IptablesApplier(iptables).sync({ ...plan, servicePorts: [{ ...service, affinitySeconds: 60 }] });
        const saved = await iptables.save();
        const remembering = new RegExp(
          `^-A ${serviceChain('SVL', service)} .*--rcheck --seconds 60 .*-j KUBE-SEP-`,
          'gm',
        );
        assert.equal(saved.match(remembering)?.length, 2);
      });

      it('is made with what the machine has, and cleans up all it made and nothing else', async () => {
        const tool = family === 'IPv6' ? `ip6tables-${variant}` : `iptables-${variant}`;
        await cleanup(iptables);
        await exec(tool, ['-w', '5', '-N', 'SOMEBODY']);
        await exec(tool, ['-w', '5', '-A', 'FORWARD', '-j', 'SOMEBODY']);
        const linesOf = async () =>
          (await iptables.save()).split('\n').filter((line) => /^(?::[A-Z]+ -|-A)/.test(line));
        const before = await linesOf();
        const context = {
          family,
          exec,
          log: silentLog,
          sysctl: new FakeSysctl(),
          masqueradeBit: 14,
          ipvs: defaultIpvsSettings,
        };
        const backend = await iptablesBackend.create(context);
        const { plan } = planOf('load-balancer-source-ranges');
        const { kind, refused } = await backend.sync({ plan, changed: undefined, problems: [] });
        assert.deepEqual({ kind, refused }, { kind: 'full', refused: [] });
        assert.equal(await backend.isIntact(), true);
        await backend.stop();
        assert.ok((await linesOf()).length > before.length + 30);
        assert.match(
          (await iptablesBackend.cleanup(context)).join('\n'),
          new RegExp(`iptables-${variant} \\(${family}\\)$`),
        );
        const left = await linesOf();
        assert.deepEqual(
          left.filter((line) => !line.includes('KUBE-FIREWALL')),
          before.filter((line) => !line.includes('KUBE-FIREWALL')),
        );
        assert.deepEqual(await iptablesBackend.cleanup(context), []);
        await exec(tool, ['-w', '5', '-D', 'FORWARD', '-j', 'SOMEBODY']);
        await exec(tool, ['-w', '5', '-X', 'SOMEBODY']);
      });

      it('a foreign flush is mended within 200 ms', async (test) => {
        await cleanup(iptables);
        const server = await answering(read(ENDPOINT));
        test.after(() => server.close());
        const { services, slices } = planOf('cluster-ip');
        const [slice] = slices;
        assert.ok(slice);
        const endpoints = (slice.endpoints ?? []).filter((one) => one.addresses[0] === read(ENDPOINT));
        const stamps = await stampsFor(iptables, { family, exec, log: silentLog });
        const proxy = runProxy({
          client: new FakeClient([...services, { ...slice, ...{ endpoints } }]),
          nodeName: WORLD.node.name,
          nodeIps: [read(WORLD.node.ip)],
          mode: 'iptables',
          healthzBindAddress: '',
          metricsBindAddress: '',
          flushCheckPeriod: 60_000,
          log: silentLog,
          host: {
            backend: () => Promise.resolve(iptablesBackendOf(iptables, { stamps })),
            conntrack: () => Promise.resolve(createConntrack(family)),
            sysctl: new FakeSysctl(),
          },
        });
        test.after(() => proxy.stop());
        await proxy.synced;
        const client = new ConnectLoop(read(SERVICE_IP), 80);
        test.after(() => {
          client.stop();
        });
        await client.untilAnswered();
        const tool = family === 'IPv6' ? `ip6tables-${variant}` : `iptables-${variant}`;
        for (const commands of [['-F'], ['-F', '-X']]) {
          const felt: number[] = [];
          while (felt.length < 3) {
            for (const table of ['nat', 'filter']) {
              for (const command of commands)
                await exec(tool, ['-w', '5', '-t', table, command]).catch(() => undefined);
            }
            await client.untilAnswered();
            await pause(300); // the last flush may have hit rules that were mended after the first
            await client.untilAnswered();
            felt.push(client.takeLongestOutage());
          }
          // a pause of everything, on a busy machine, only ever adds
          assert.ok(
            Math.min(...felt) <= 200,
            `after ${commands.join(' ')}: ${felt.map(Math.round).join(', ')} ms without an answer`,
          );
        }
      });
    });
  }
}

it('says that the lock is held by another, after five seconds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-lock-'));
  const file = join(folder, 'lock');
  const holder = spawn('flock', ['--no-fork', file, 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(holder.stdout, 'data');
  const ownLock: Exec = (tool, args, options) => exec(tool, args, { ...options, env: { XTABLES_LOCKFILE: file } });
  const iptables = createIptables('legacy', { exec: ownLock });
  const start = performance.now();
  await assert.rejects(new IptablesApplier(iptables).sync(loadScenario(scenarios[0] as never).plan), (error) => {
    assert.ok(error instanceof HostError);
    return isLockFailure(error);
  });
  assert.ok(performance.now() - start > 4000);
  holder.kill();
  await rm(folder, { recursive: true });
});

/** On port 9376, with the address it listens on. */
async function answering(ip: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined); // a client may leave before it was answered
    socket.end(ip);
  });
  server.listen(9376, ip);
  await once(server, 'listening');
  return server;
}

async function whoAnswers(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, 'end');
  return text;
}

/** Opens a connection every five milliseconds. */
class ConnectLoop {
  readonly #timer: NodeJS.Timeout;
  readonly #times: { start: number; ok: boolean }[] = [];
  #waiting: (() => void)[] = [];

  constructor(host: string, port: number) {
    this.#timer = setInterval(() => {
      const attempt = { start: performance.now(), ok: false };
      this.#times.push(attempt);
      const socket = connect({ host, port });
      socket.on('connect', () => {
        attempt.ok = performance.now() - attempt.start < 100;
        for (const tell of this.#waiting.splice(0)) tell();
        socket.destroy();
      });
      socket.on('error', () => undefined);
      setTimeout(() => socket.destroy(), 500).unref();
    }, 5);
  }

  /** By an attempt that begins from now on. */
  async untilAnswered(): Promise<void> {
    const since = performance.now();
    while (!this.#times.some(({ start, ok }) => ok && start >= since)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** ms between two attempts that were answered, with others between them that were not, since it was last asked. */
  takeLongestOutage(): number {
    const answered = this.#times.filter(({ ok }) => ok).map(({ start }) => start);
    this.#times.splice(0, this.#times.length - 1);
    return Math.max(...answered.map((start, at) => start - (answered[at - 1] ?? start)));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
