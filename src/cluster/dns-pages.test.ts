import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import type { Pod } from '../api/types.ts';
import type { LogEntry } from '../dns/query-log/query-log.ts';
import { QueryTap } from '../dns/query-log/tap.ts';
import { queryFor, RCODE, replyTo, TYPE } from '../dns/wire/message.ts';
import { DnsLogPage } from './dns-log-page.ts';
import { podAt } from './dns-pages.ts';

const pod = (name: string, ip: string, hostNetwork = false): Pod => ({
  metadata: { name, namespace: 'shop' },
  spec: { containers: [], ...(hostNetwork && { hostNetwork }) },
  status: { podIP: ip, podIPs: [{ ip }, { ip: `fd00::${String(name.length)}` }] },
});
const pods = [pod('web', '10.244.1.3'), pod('agent', '172.30.0.11', true)];

test('an address is that of a Pod with a network of its own', () => {
  assert.equal(podAt(pods, '10.244.1.3'), 'shop/web');
  assert.equal(podAt(pods, 'fd00::3'), 'shop/web');
  assert.equal(podAt(pods, '172.30.0.11'), undefined);
  assert.equal(podAt(pods, '10.244.1.4'), undefined);
});

async function reader(t: TestContext, tap: QueryTap, query: string): Promise<IncomingMessage> {
  const page = new DnsLogPage((address) => podAt(pods, address));
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://node');
    page.serve(tap, searchParams, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const request = get({ port: (server.address() as AddressInfo).port, path: `/dns/log?${query}` });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

const ask = (tap: QueryTap, name: string, address = '10.244.1.3') => {
  const query = queryFor(1, { name, type: TYPE.A, class: 1 });
  const reply = { message: replyTo(query, RCODE.NXDOMAIN), from: 'kubernetes' };
  return tap.through(query, { address, port: 1, transport: 'udp' }, () => reply);
};

test('a reader gets a line for each question it wants, and the tap is closed when it goes', async (t) => {
  const tap = new QueryTap();
  const response = await reader(t, tap, 'address=10.244.1.3&name=web');
  assert.equal(tap.isOpen, true);
  await ask(tap, 'web.shop.svc.cluster.local.', '10.244.1.9');
  await ask(tap, 'other.shop.svc.cluster.local.');
  await ask(tap, 'web.shop.svc.cluster.local.');
  const [line] = (await once(createInterface({ input: response }), 'line')) as [string];
  const entry = JSON.parse(line) as LogEntry;
  assert.deepEqual([entry.pod, entry.name, entry.rcode], ['shop/web', 'web.shop.svc.cluster.local.', 'NXDOMAIN']);
  response.destroy();
  while (tap.isOpen) await new Promise(setImmediate);
});

test('a reader that does not read costs a bounded number of bytes, and is told what it missed', async (t) => {
  const tap = new QueryTap();
  const response = await reader(t, tap, '');
  response.pause();
  const name = `${'long.'.repeat(40)}test.`;
  for (let at = 0; at < 30_000; at++) await ask(tap, name);
  // Its sockets are full by now: the rest was counted only.
  let missed = 0;
  for await (const line of createInterface({ input: response })) {
    const entry = JSON.parse(line) as LogEntry | { missed: number };
    if ('missed' in entry) {
      missed = entry.missed;
      break;
    }
    if (tap.isOpen && response.readableLength === 0) await ask(tap, name);
  }
  assert.ok(missed > 0);
  response.destroy();
});
