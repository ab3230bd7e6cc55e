import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import { requireOuterNamespace } from '../../../test/support/outer-namespace.ts';
import { createConntrack, type UdpFlow } from '../conntrack.ts';
import { exec } from '../exec.ts';
import { createNetlinkConntrack, type NetlinkConntrack, type TrackedFlow } from './conntrack.ts';
import { protocolNumbers, type FlowProtocol } from './flow-message.ts';
import { MessageWriter, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from './message-writer.ts';
import { NetlinkSocket, NETLINK_NETFILTER } from './socket.ts';
import { AF_INET, AF_INET6, ipBytes } from './addresses.ts';
import { eventLoopHeld } from './testing.ts';

requireOuterNamespace();

/** Puts flows into the table as a packet would, many at a time. */
function insert(flows: readonly TrackedFlow[]): void {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  const writer = new MessageWriter();
  for (let at = 0; at < flows.length; at += 100) {
    writer.reset();
    for (const flow of flows.slice(at, at + 100)) writeFlow(writer, flow, socket.nextSeq());
    assert.deepEqual(socket.transactNow(writer), []);
  }
  socket.close();
}

function writeFlow(to: MessageWriter, flow: TrackedFlow, seq: number): void {
  const v6 = flow.source.includes(':');
  to.begin(0x100, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, seq).nfgen(v6 ? AF_INET6 : AF_INET);
  const tuple = (type: number, source: string, sourcePort: number, destination: string, port: number) => {
    const at = to.open(type);
    const ip = to.open(1);
    to.bytes(v6 ? 3 : 1, ipBytes(source))
      .bytes(v6 ? 4 : 2, ipBytes(destination))
      .close(ip);
    const proto = to.open(2);
    to.u8(1, protocolNumbers[flow.protocol]).be16(2, sourcePort).be16(3, port).close(proto).close(at);
  };
  tuple(1, flow.source, flow.sourcePort, flow.destination, flow.port);
  tuple(2, flow.replySource, flow.replyPort, flow.source, flow.sourcePort);
  to.be32(7, 600).be32(3, 1 << 3);
  if (flow.protocol === 'TCP') {
    const info = to.open(4);
    const tcp = to.open(1);
    to.u8(1, 3).close(tcp).close(info);
  }
  to.end();
}

function flow(over: Partial<TrackedFlow> & { client?: number } = {}): TrackedFlow {
  const { client = 1, ...rest } = over;
  return {
    protocol: 'UDP',
    source: `10.${String((client >> 16) & 255)}.${String((client >> 8) & 255)}.${String(client & 255)}`,
    sourcePort: 1000,
    destination: '10.96.0.10',
    port: 53,
    replySource: '10.1.0.1',
    replyPort: 5353,
    translated: false,
    ...rest,
  };
}

let ipv4: NetlinkConntrack;
before(() => {
  ipv4 = createNetlinkConntrack();
});
beforeEach(async () => {
  await exec('conntrack', ['-F']);
});
after(async () => {
  await exec('conntrack', ['-F']);
  ipv4.close();
});

async function all(of: NetlinkConntrack, protocol: FlowProtocol): Promise<readonly TrackedFlow[]> {
  const found: TrackedFlow[] = [];
  await of.each(protocol, (each) => found.push(each));
  return found.sort((a, b) => a.source.localeCompare(b.source));
}

/** What the command-line one says, which knows of no translation. */
const bare = (flows: readonly UdpFlow[]) =>
  flows
    .map(({ destination, port, replySource, replyPort }) => ({ destination, port, replySource, replyPort }))
    .sort((a, b) => a.replyPort - b.replyPort);

test('UDP flows are listed as the command-line tool lists them, each kind once', async () => {
  insert([flow({ client: 1 }), flow({ client: 2 }), flow({ client: 3, replyPort: 5354 }), flow({ protocol: 'TCP' })]);
  const listed = await ipv4.listUdp();
  assert.equal(listed.length, 2);
  assert.deepEqual(bare(listed), bare(await createConntrack().listUdp()));
});

test('each flow is told whole, by protocol', async () => {
  insert([flow({ client: 1 }), flow({ client: 2, protocol: 'SCTP' }), flow({ client: 3, protocol: 'TCP' })]);
  assert.deepEqual(await all(ipv4, 'UDP'), [flow({ client: 1 })]);
  assert.deepEqual(await all(ipv4, 'SCTP'), [flow({ client: 2, protocol: 'SCTP' })]);
  assert.deepEqual(await all(ipv4, 'TCP'), [flow({ client: 3, protocol: 'TCP' })]);
});

test('IPv6 flows are told and deleted, and IPv4 is left alone', async () => {
  const v6 = flow({ source: 'fd00::1', destination: 'fd00:96::a', replySource: 'fd00:1::1' });
  insert([v6, flow()]);
  const ipv6 = createNetlinkConntrack('IPv6');
  assert.deepEqual(await all(ipv6, 'UDP'), [v6]);
  assert.equal(await ipv6.deleteUdp([v6]), 1);
  assert.deepEqual(await all(ipv6, 'UDP'), []);
  assert.deepEqual(await all(ipv4, 'UDP'), [flow()]);
  ipv6.close();
});

test('deleting takes all flows alike, and no other', async () => {
  const others = [flow({ client: 3, replyPort: 5354 }), flow({ client: 4, protocol: 'SCTP' })];
  insert([flow({ client: 1 }), flow({ client: 2 }), ...others]);
  assert.equal(await ipv4.deleteUdp([flow()]), 2);
  assert.deepEqual(await all(ipv4, 'UDP'), [others[0]]);
  assert.deepEqual(await all(ipv4, 'SCTP'), [others[1]]);
  assert.equal(await ipv4.deleteUdp([flow()]), 0);
  assert.equal(await ipv4.deleteUdp([]), 0);
});

test('a judge is asked once for each kind of flow, and what it condemns goes', async () => {
  insert([flow({ client: 1 }), flow({ client: 2 }), flow({ client: 3, port: 54 })]);
  let asked = 0;
  const forgotten = await ipv4.forget('UDP', ({ port }) => {
    asked++;
    return port === 53;
  });
  assert.deepEqual([forgotten, asked], [2, 2]);
  assert.deepEqual(await all(ipv4, 'UDP'), [flow({ client: 3, port: 54 })]);
});

test('a real packet that was translated is told apart from one that was not', async () => {
  await exec('nft', ['-f', '-'], {
    input: `table ip t { chain out { type nat hook output priority -100; ip daddr 10.96.0.10 udp dport 53 dnat to 127.0.0.1:5353; }
    }`,
  });
  await exec('ip', ['route', 'add', '10.96.0.0/16', 'dev', 'lo']);
  const server = createSocket('udp4').bind(5353, '127.0.0.1');
  await once(server, 'listening');
  const client = createSocket('udp4');
  const heard = once(server, 'message');
  client.send('x', 53, '10.96.0.10');
  await heard;
  const heardAgain = once(server, 'message');
  client.send('x', 5353, '127.0.0.1');
  await heardAgain;
  client.close();
  server.close();
  const flows = await ipv4.listUdp();
  const answeredBy = { replySource: '127.0.0.1', replyPort: 5353 };
  assert.deepEqual(
    flows.filter(({ replyPort }) => replyPort === 5353).sort((a, b) => a.port - b.port),
    [
      { destination: '10.96.0.10', port: 53, ...answeredBy, translated: true },
      { destination: '127.0.0.1', port: 5353, ...answeredBy, translated: false },
    ],
  );
  await exec('nft', ['flush', 'ruleset']);
  await exec('ip', ['route', 'delete', '10.96.0.0/16', 'dev', 'lo']);
});

const crowd = Array.from({ length: 100_000 }, (_, client) =>
  flow({ client, protocol: client % 2 === 0 ? 'UDP' : 'TCP' }),
);

test('of 100,000 flows the stale are found and deleted in under a second, and the event loop is never held up for 30 ms', async () => {
  let took = Infinity;
  const held = await eventLoopHeld(
    async () => {
      const start = performance.now();
      const flows = await ipv4.listUdp();
      const deleted = await ipv4.deleteUdp(flows);
      took = Math.min(took, performance.now() - start);
      assert.deepEqual([flows.length, deleted], [1, 50_000]);
    },
    async () => {
      await exec('conntrack', ['-F']);
      insert(crowd);
    },
  );
  assert.ok(took < 1000, `${String(took)} ms`);
  assert.ok(held < 30, `${String(held)} ms`);
});
