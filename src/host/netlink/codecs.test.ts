import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp } from '../../lib/ip.ts';
import { ipBytes, ipText } from './addresses.ts';
import { FlowReader, protocolNumbers, writeFlowDelete, writeFlowDump } from './flow-message.ts';
import { readDestination, readService, writeDestination, writeService } from './ipvs-messages.ts';
import type { RealServer, VirtualServer } from './ipvs.ts';
import { messages } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';

const v4 = fc.nat({ max: 0xffffffff }).map((value) => formatIp({ family: 'IPv4', value: BigInt(value) }));
const v6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => formatIp({ family: 'IPv6', value }));
const ip = fc.oneof(v4, v6);
const port = fc.nat({ max: 65_535 });

test('an address is the same after it was bytes', () => {
  fc.assert(
    fc.property(ip, (text) => {
      const bytes = ipBytes(text);
      assert.equal(ipText(bytes, 0, bytes.length), text);
    }),
  );
  assert.throws(() => ipBytes('10.0.0.256'), TypeError);
});

/** Behind the header of a message that `write` writes the body of. */
function payload(write: (to: MessageWriter) => unknown): Buffer {
  const writer = new MessageWriter().begin(1, 1, 1);
  write(writer);
  writer.end();
  return [...messages(writer.buffer.subarray(0, writer.length))][0]!.payload;
}

// as seen of `conntrack -I -p udp -s 10.0.0.1 -d 10.96.0.10 --sport 1000 --dport 53 -r 10.1.0.1 --reply-port-src 5353`
const told =
  '02000000' +
  '34000180' +
  '14000180080001000a000001080002000a60000a1c00028005000100110000000600020003e800000600030000350000' +
  '34000280' +
  '14000180080001000a010001080002000a0000011c00028005000100110000000600020014e900000600030003e80000' +
  '0800030000000028' +
  '08000c00865ced19';

test('a flow is read as the kernel tells it', () => {
  const reader = new FlowReader();
  assert.equal(reader.read(Buffer.from(told, 'hex')), true);
  assert.equal(reader.protocol, protocolNumbers.UDP);
  assert.deepEqual(reader.flow('UDP'), {
    protocol: 'UDP',
    source: '10.0.0.1',
    sourcePort: 1000,
    destination: '10.96.0.10',
    port: 53,
    replySource: '10.1.0.1',
    replyPort: 5353,
    translated: true,
  });
  const deleted = payload((to) => {
    const request = new MessageWriter();
    writeFlowDelete(request, 2, reader.handle(), 1);
    return to.fixed(...request.buffer.subarray(16, request.length));
  });
  // the tuple as it was sent and the id, nothing of the answer
  assert.equal(deleted.toString('hex'), `${told.slice(0, 8)}${told.slice(8, 8 + 8 + 96)}08000c00865ced19`);
});

test('the request for a dump names the protocol and asks the kernel to filter by it', () => {
  const request = new MessageWriter();
  writeFlowDump(request, 10, 'SCTP', 1);
  assert.equal(
    request.buffer.toString('hex', 16, request.length),
    '0a000000' + '10000180' + '0c000280' + '0500010084000000' + '14001980' + '0800010008000000' + '0800020000000000',
  );
});

test('a flow without a tuple is never asked to go, for that would empty the table', () => {
  const handle = { tuple: new Uint8Array(0), id: new Uint8Array(4), zone: undefined };
  assert.throws(() => {
    writeFlowDelete(new MessageWriter(), 2, handle, 1);
  }, RangeError);
});

test('a flow with some of its bytes changed, or cut short, never makes the reader throw', () => {
  const reader = new FlowReader();
  const whole = Buffer.from(told, 'hex');
  const damage = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(damage, fc.nat({ max: whole.length }), (changes, length) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      if (!reader.read(bytes.subarray(0, length))) return;
      reader.flow('UDP');
      reader.kind();
      reader.handle();
    }),
    { numRuns: 5000 },
  );
});

test('a virtual server is read as it was written', () => {
  const server: fc.Arbitrary<VirtualServer> = fc.record(
    {
      protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
      address: ip,
      port,
      scheduler: fc.constantFrom('rr', 'wlc', 'mh'),
      persistence: fc.integer({ min: 1, max: 1 << 30 }),
      onePacket: fc.constant(true),
      schedulerFlags: fc.integer({ min: 1, max: 7 }),
    },
    { requiredKeys: ['protocol', 'address', 'port', 'scheduler'], noNullPrototype: true },
  );
  fc.assert(
    fc.property(server, (service) => {
      const read = readService(payload((to) => (to.fixed(1, 1, 0, 0), writeService(to, service))));
      assert.deepEqual(read, service);
    }),
  );
});

test('a real server is read as it was written', () => {
  fc.assert(
    fc.property(ip, port, fc.nat({ max: 65_535 }), (address, at, weight) => {
      const server: RealServer = { address, port: at, weight, activeConnections: 0, inactiveConnections: 0 };
      const read = readDestination(
        payload((to) => (to.fixed(5, 1, 0, 0), writeDestination(to, server, true))),
        0,
      );
      assert.deepEqual(read, server);
    }),
  );
});
