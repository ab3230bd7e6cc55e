/**
 * Random changes of a watched cluster: whenever an answer changes, one of the things it was made from was announced before. So may keep answers who
 * forgets them at an announcement.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ENDPOINT_SLICES, NAMESPACES, NODES, PODS, SERVICES, type Kind } from '../../../api/kinds.ts';
import type { KubeObject } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { FakeClock } from '../../../lib/clock.ts';
import { createChangeFeed } from '../../change-feed.ts';
import { fakeRuntime } from '../../fake-runtime.ts';
import { CLASS_IN, TYPE, type Question } from '../../wire/message.ts';
import { answer, type InsideAnswer } from './answer.ts';
import { rulesOf } from './rules.ts';
import { SERVICE_IMPORTS } from './service-import.ts';
import { watchCluster, type WatchedCluster } from './watched-cluster.ts';

const spaces = fc.constantFrom('a', 'b');
const names = fc.constantFrom('x', 'y');
const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3');

const port = { name: 'http', protocol: 'TCP', port: 80 };
const serviceSpec = fc.oneof(
  fc.constant({ clusterIP: 'None', ports: [port] }),
  address.map((clusterIP) => ({ clusterIP, clusterIPs: [clusterIP], ports: [port] })),
  fc
    .tuple(names, spaces)
    .map(([name, space]) => ({ type: 'ExternalName', externalName: `${name}.${space}.svc.cluster.local` })),
);
const endpoint = fc.record({
  addresses: address.map((each) => [each]),
  hostname: fc.constantFrom('h', 'i'),
  conditions: fc.boolean().map((ready) => ({ ready })),
  zone: fc.constantFrom('zone-a', 'zone-b'),
});
const meta = fc.record({ name: names, namespace: spaces });

type Step = readonly [kind: Kind, object: KubeObject | undefined, name: string, namespace?: string];
const made = (kind: Kind, { name, namespace }: { name: string; namespace?: string }, rest: object): Step => [
  kind,
  { metadata: { name, ...(namespace !== undefined && { namespace }) }, ...rest } as KubeObject,
  name,
  namespace,
];

const sliceLabels = fc
  .tuple(names, fc.boolean())
  .map(([name, imported]): Record<string, string> =>
    imported
      ? { 'multicluster.kubernetes.io/service-name': name, 'multicluster.kubernetes.io/source-cluster': 'east' }
      : { 'kubernetes.io/service-name': name },
  );

/** Makes or replaces an object, or deletes it. */
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(meta, serviceSpec).map(([where, spec]) => made(SERVICES, where, { spec })),
  fc.tuple(meta, sliceLabels, fc.array(endpoint, { maxLength: 3 })).map(([where, labels, endpoints]): Step => {
    const metadata = { ...where, labels };
    return [
      ENDPOINT_SLICES,
      { metadata, addressType: 'IPv4', endpoints, ports: [port] } as KubeObject,
      where.name,
      where.namespace,
    ];
  }),
  fc
    .tuple(meta, address)
    .map(([where, podIP]) => made(PODS, where, { spec: { containers: [] }, status: { phase: 'Running', podIP } })),
  fc
    .tuple(meta, address)
    .map(([where, ip]) => made(SERVICE_IMPORTS, where, { spec: { type: 'ClusterSetIP', ips: [ip], ports: [port] } })),
  spaces.map((name) => made(NAMESPACES, { name }, {})),
  fc
    .constantFrom('zone-a', 'zone-b')
    .map((zone): Step => [
      NODES,
      { metadata: { name: 'node01', labels: { 'topology.kubernetes.io/zone': zone } } },
      'node01',
    ]),
  fc
    .tuple(fc.constantFrom<Kind>(SERVICES, ENDPOINT_SLICES, PODS, SERVICE_IMPORTS), meta)
    .map(([kind, { name, namespace }]): Step => [kind, undefined, name, namespace]),
  spaces.map((name): Step => [NAMESPACES, undefined, name]),
);

async function take(client: FakeClient, [kind, object, name, namespace]: Step): Promise<void> {
  const old = await client.get(kind, name, namespace).catch(() => undefined);
  if (!object) await (old && client.delete(kind, name, namespace));
  else if (!old) await client.create(kind, object);
  else await client.update(kind, { ...object, metadata: { ...object.metadata, uid: old.metadata.uid ?? '' } });
}

const question = (name: string, type: number): Question => ({ name, type, class: CLASS_IN });
const inCluster = ['a', 'b'].flatMap((space) => [
  `${space}.svc.cluster.local.`,
  ...['x', 'y'].flatMap((name) => {
    const service = `${name}.${space}.svc.cluster.local.`;
    return [
      service,
      `h.${service}`,
      `_http._tcp.${service}`,
      `zone-a.prefer._zone.${service}`,
      `${name}.${space}.svc.clusterset.local.`,
    ];
  }),
  `10-0-0-1.${space}.pod.cluster.local.`,
]);
const questions = [
  ...inCluster.map((name) => question(name, name.startsWith('_') ? TYPE.SRV : TYPE.A)),
  ...[1, 2, 3].map((last) => question(`${String(last)}.0.0.10.in-addr.arpa.`, TYPE.PTR)),
  question('cluster.local.', TYPE.SOA),
  question('cluster.local.', TYPE.NS),
];

/** Keeps answers as packets are kept: until something they were made from is announced. */
class Keeper {
  readonly #kept = new Map<Question, InsideAnswer>();
  #forgotten = 0;

  forget(dependency: string | undefined): void {
    for (const [asked, { dependencies }] of this.#kept) {
      if (dependency !== undefined && !dependencies.includes(dependency)) continue;
      this.#kept.delete(asked);
      this.#forgotten++;
    }
  }

  get forgotten(): number {
    return this.#forgotten;
  }

  /** Everything kept is what would be answered now; everything else is answered, and kept. */
  check(now: (asked: Question) => InsideAnswer, after: string): void {
    for (const asked of questions) {
      const fresh = now(asked);
      const kept = this.#kept.get(asked);
      if (kept) assert.deepEqual(essence(kept), essence(fresh), `${asked.name} after ${after}`);
      else this.#kept.set(asked, fresh);
    }
  }
}

/** The serial of a denial is not promised. */
const essence = ({ rcode, answers, additionals, follow, nearby }: InsideAnswer) => ({
  rcode,
  answers,
  additionals,
  follow,
  nearby,
});

async function play(steps: readonly Step[], ignoreEmptyService: boolean): Promise<number> {
  const namespaces = ['a', 'b'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  const client = new FakeClient(namespaces);
  const changes = createChangeFeed();
  const clock = new FakeClock();
  const runtime = fakeRuntime({ client, changes, clock });
  const selection = {
    namespaceLabels: '!hidden',
    endpoints: true,
    podNames: false,
    pods: true,
    imports: true,
  } as const;
  const source = { key: 'own', open: () => ({ value: client, close: () => undefined }) };
  const cluster: WatchedCluster = watchCluster(runtime, source, { ...selection, nodes: { name: 'node01' } });
  const rules = rulesOf({
    zones: ['cluster.local', 'in-addr.arpa', 'clusterset.local'],
    multicluster: ['clusterset.local'],
    pods: 'verified',
    viewedNamespaces: true,
    ignoreEmptyService,
    zonal: true,
    preferZone: true,
    ownAddresses: ['10.0.0.3'],
  });
  const now = (asked: Question): InsideAnswer => {
    const found = answer(cluster, asked, rules, cluster.zoneOfNode('node01'));
    assert.ok(!found.isOutside);
    return found;
  };
  try {
    await cluster.synced;
    const keeper = new Keeper();
    changes.onChange((dependency) => {
      keeper.forget(dependency);
    });
    for (const each of steps) {
      clock.advance(1000);
      const taken = take(client, each);
      const words = `${each[1] ? 'making' : 'deleting'} ${each[0].kind} ${each[3] ?? ''}/${each[2]}`;
      // At every point where a question could be answered in between.
      for (let turn = 0; turn < 12; turn++) {
        await Promise.resolve();
        keeper.check(now, words);
      }
      await taken;
      await new Promise(setImmediate);
      keeper.check(now, words);
    }
    return keeper.forgotten;
  } finally {
    cluster.stop();
  }
}

test('what is kept is true until something it was made from is announced', async () => {
  let forgotten = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), fc.boolean(), async (steps, ignore) => {
      forgotten += await play(steps, ignore);
    }),
    { numRuns: 40 },
  );
  assert.ok(forgotten > 100, `nothing was put to the test: ${String(forgotten)}`);
});

test('a change of one Service leaves the answers of others alone', async () => {
  const other = question('y.b.svc.cluster.local.', TYPE.A);
  const client = new FakeClient();
  const changes = createChangeFeed();
  const announced: (string | undefined)[] = [];
  const source = { key: 'own', open: () => ({ value: client, close: () => undefined }) };
  const cluster = watchCluster(fakeRuntime({ client, changes }), source, {
    endpoints: true,
    podNames: false,
    pods: false,
    imports: false,
  });
  await cluster.synced;
  changes.onChange((dependency) => announced.push(dependency));
  await take(client, made(SERVICES, { name: 'x', namespace: 'a' }, { spec: { clusterIP: '10.0.0.1' } }));
  await new Promise(setImmediate);
  assert.deepEqual(announced, ['service/a/x', 'address/10.0.0.1', 'zone']);
  const found = answer(cluster, other, rulesOf());
  assert.ok(!found.isOutside);
  assert.deepEqual(found.dependencies, ['service/b/y']);
  cluster.stop();
});
