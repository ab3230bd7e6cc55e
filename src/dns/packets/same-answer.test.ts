/** The invariant of packets: whatever changes, and whenever, a packet says what the chain says at that moment. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES, type Kind } from '../../api/kinds.ts';
import type { EndpointSlice, KubeObject, Namespace, Pod, Service } from '../../api/types.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { silentLog } from '../../lib/log.ts';
import { buildServers, type Server } from '../routing/chain.ts';
import { diskImports } from '../corefile/import-source.ts';
import { parseCorefile } from '../corefile/parse.ts';
import { fakeRuntime } from '../fake-runtime.ts';
import { startPlugins, stopPlugins } from '../routing/plugin-life.ts';
import type { Asker, Runtime } from '../plugin.ts';
import { replyBytes, type Respond } from '../sockets/reply-bytes.ts';
import { respond } from '../routing/respond.ts';
import { Router } from '../routing/router.ts';
import { CLASS_IN, queryFor, TYPE, type Edns, type Message, type Record } from '../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../wire/message-codec.ts';
import { PacketTable } from './packet-table.ts';
import { sourceOf } from './source.ts';

const COREFILE = `.:53 {
  errors
  kubernetes cluster.local in-addr.arpa {
    pods verified
    ttl 30
  }
  cache 30
  loadbalance
}
`;
const asker = { address: '10.244.0.9', port: 40_000 };

const spaces = ['a', 'b'];
const names = ['x', 'y'];
const ips = ['10.96.0.1', '10.96.0.2', '10.244.0.1', '10.244.0.2', '10.244.0.3'];

/** Undefined: the object goes away. */
interface Change {
  readonly kind: Kind;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly object?: KubeObject;
}

const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const place = fc.record({ name: oneOf(...names), namespace: oneOf(...spaces) });

const service = fc
  .tuple(place, oneOf('None', ...ips.slice(0, 2), 'x.b.svc.cluster.local'), fc.boolean())
  .map(([metadata, target, hasName]): Change => {
    const port = { port: 80, protocol: 'TCP', ...(hasName && { name: 'http' }) };
    const spec = target.includes('svc')
      ? { type: 'ExternalName', externalName: target }
      : { clusterIP: target, clusterIPs: [target], ports: [port] };
    const object = { apiVersion: 'v1', kind: 'Service', metadata, spec } as Service;
    return { kind: SERVICES, ...metadata, object };
  });
const slice = fc
  .tuple(
    place,
    fc.array(fc.record({ ip: oneOf(...ips.slice(2)), ready: fc.boolean(), hostname: oneOf(undefined, 'h') }), {
      maxLength: 3,
    }),
  )
  .map(([{ name, namespace }, endpoints]): Change => {
    const metadata = { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } };
    const object = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata,
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: endpoints.map(({ ip, ready, hostname }) => ({
        addresses: [ip],
        conditions: { ready },
        ...(hostname !== undefined && { hostname }),
      })),
    } as EndpointSlice;
    return { kind: ENDPOINT_SLICES, name: metadata.name, namespace, object };
  });
const namespace = oneOf(...spaces).map((name): Change => {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } as Namespace;
  return { kind: NAMESPACES, name, namespace: undefined, object };
});
const pod = fc.tuple(place, oneOf(...ips.slice(2))).map(([metadata, podIP]): Change => {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers: [] },
    status: { podIP },
  } as unknown as Pod;
  return { kind: PODS, ...metadata, object };
});
const change = fc
  .tuple(fc.oneof(service, slice, slice, namespace, pod), fc.integer({ min: 0, max: 2 }))
  .map(([{ object, ...one }, dice]): Change => (dice === 0 || !object ? one : { ...one, object }));

const questions = [
  ...spaces.flatMap((space) => [
    ...names.flatMap((name) => [
      `${name}.${space}.svc.cluster.local.`,
      `${name.toUpperCase()}.${space}.SVC.cluster.local.`,
      `_http._tcp.${name}.${space}.svc.cluster.local.`,
      `h.${name}.${space}.svc.cluster.local.`,
      `10-244-0-1.${name}.${space}.svc.cluster.local.`,
    ]),
    `${space}.svc.cluster.local.`,
    `10-244-0-1.${space}.pod.cluster.local.`,
    `nope.${space}.svc.cluster.local.`,
  ]),
  ...ips.map((ip) => `${ip.split('.').reverse().join('.')}.in-addr.arpa.`),
  'cluster.local.',
  'nope.cluster.local.',
  'dns-version.cluster.local.',
].flatMap((name) =>
  [TYPE.A, TYPE.AAAA, TYPE.SRV, TYPE.PTR, TYPE.TXT, TYPE.SOA].map((type) => ({ name, type, class: CLASS_IN })),
);

/** A question by its number. */
interface Ask {
  readonly ask: number;
  readonly transport: Asker['transport'];
  readonly edns?: Edns | undefined;
}
type Step = { readonly change: Change } | Ask | { readonly wait: number };
const edns = (size: number, dnssecOk: boolean): Edns => ({ size, version: 0, dnssecOk });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: change.map((one) => ({ change: one })) },
  {
    weight: 8,
    arbitrary: fc.record({
      ask: fc.nat(questions.length - 1),
      transport: oneOf('udp' as const, 'tcp' as const),
      edns: oneOf(undefined, undefined, edns(512, false), edns(1232, true), edns(4096, false)),
    }),
  },
  // turns of the event loop: how far a change has come
  { weight: 3, arbitrary: fc.nat(3).map((wait) => ({ wait })) },
);

function apply(client: FakeClient, { kind, name, namespace, object }: Change): Promise<unknown> {
  if (!object) return client.delete(kind, name, namespace).catch(() => undefined);
  return client.update(kind, object).catch(() => client.create(kind, object).catch(() => undefined));
}

/** What must be the same: letters have no case, addresses may change places, and the serial in a denial's SOA is of no use to anybody. */
function meaning({ questions: _, ...message }: Message) {
  const texts = (records: readonly Record[]) => records.map((record) => JSON.stringify(record).toLowerCase());
  const timeless = (record: Record) => (record.type === TYPE.SOA ? { ...record, serial: 0 } : record);
  return {
    ...message,
    answers: texts(message.answers).sort(),
    authorities: texts(message.authorities.map(timeless)),
    additionals: texts(message.additionals),
  };
}

interface World {
  readonly client: FakeClient;
  readonly runtime: Runtime;
  readonly servers: readonly Server[];
  readonly table: PacketTable;
  readonly ask: Respond;
}

async function world(listen = true): Promise<World> {
  const client = new FakeClient();
  // each second is another serial
  let now = 0;
  const clock = { now: () => (now += 400), after: () => () => undefined };
  const runtime = fakeRuntime({ client, clock, random: Math.random });
  const source = { file: 'Corefile', environment: () => undefined, imports: diskImports };
  const servers = buildServers(parseCorefile(COREFILE, source), runtime);
  const table = new PacketTable({ random: Math.random, mostBytes: 1 << 16 });
  if (listen) runtime.changes.onChange((dependency) => void table.change(dependency));
  await startPlugins(servers);
  await Promise.all(servers.flatMap(({ plugins }) => plugins.flatMap(({ instance }) => instance.whenReady ?? [])));
  const context = { router: new Router(servers), clock: runtime.clock, metrics: runtime.metrics };
  return { client, runtime, servers, table, ask: (message, by) => respond(message, by, context) };
}

interface Seen {
  packets: number;
  compared: number;
}

async function play({ client, table, ask, runtime }: World, steps: readonly Step[], seen: Seen): Promise<void> {
  let changes = 0;
  const stop = runtime.changes.onChange(() => void changes++);
  const writes: Promise<unknown>[] = [];
  for (const one of steps) {
    if ('change' in one) writes.push(apply(client, one.change));
    else if ('wait' in one) for (let left = one.wait; left > 0; left--) await new Promise(setImmediate);
    else {
      const query = encodeMessage(queryFor(7, questions[one.ask]!, one.edns), MAX_MESSAGE);
      const source = sourceOf(0, one.transport, 'IPv4');
      const length = table.find(query, source, one.transport === 'tcp');
      const packet = length > 0 ? Buffer.from(table.out.subarray(0, length)) : undefined;
      const before = changes;
      const reply = await replyBytes(query, { ...asker, transport: one.transport }, ask, silentLog, {
        table,
        source,
      });
      if (!packet) continue;
      seen.packets++;
      // something came in while the chain was asked: it may rightly say another thing now
      if (changes !== before) continue;
      seen.compared++;
      assert.deepEqual(meaning(decodeMessage(packet)), meaning(decodeMessage(reply!)));
      assert.deepEqual(packet.subarray(0, 2), query.subarray(0, 2));
      assert.deepEqual(decodeMessage(packet).questions, decodeMessage(query).questions);
    }
  }
  stop();
  await Promise.all(writes);
}

const property = (listen: boolean, seen: Seen) =>
  fc.asyncProperty(fc.array(step, { minLength: 100, maxLength: 300, size: 'max' }), async (steps) => {
    const all = await world(listen);
    // everything asked again and again
    const turns = steps.flatMap((one): Step[] => ('ask' in one ? [one, one] : [one]));
    await play(all, turns, seen);
    await stopPlugins(all.servers, 'reload');
  });

test('a packet never outlives what it was made from: it says what the chain says, whatever changes', async () => {
  const seen: Seen = { packets: 0, compared: 0 };
  await fc.assert(property(true, seen), { numRuns: 40 });
  assert.ok(seen.compared > 500 && seen.compared > seen.packets / 2, JSON.stringify(seen));
});

test('where packets are not told of changes the same test fails', async () => {
  await assert.rejects(fc.assert(property(false, { packets: 0, compared: 0 }), { numRuns: 40, endOnFailure: true }));
});
