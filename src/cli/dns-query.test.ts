import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { QueryReport } from '../dns/explain/report.ts';
import type { LogEntry } from '../dns/query-log/query-log.ts';
import { serveDns, type DnsSockets } from '../dns/sockets/serve.ts';
import { RCODE, replyTo, TYPE } from '../dns/wire/message.ts';
import { silentLog } from '../lib/log.ts';
import { renderEntry, renderHead } from './dns-log.ts';
import { parseServer } from './dns-query-here.ts';
import { podName } from './node-page.ts';

const FAIRWAY = join(import.meta.dirname, '..', '..', 'bin', 'fairway');
const folder = mkdtempSync(join(tmpdir(), 'fw-dns-query-'));
let server: DnsSockets;
before(async () => {
  const respond: Parameters<typeof serveDns>[0]['respond'] = (query) => {
    const [question] = query.questions;
    if (question?.name !== 'web.shop.test.') return Promise.resolve({ message: replyTo(query, RCODE.NXDOMAIN) });
    const answers =
      question.type === TYPE.A ? [{ name: question.name, ttl: 5, type: TYPE.A, address: '192.0.2.7' } as const] : [];
    return Promise.resolve({ message: { ...replyTo(query, RCODE.NOERROR), answers } });
  };
  server = await serveDns({ address: '127.0.0.1', port: 0, log: silentLog, respond });
});
after(async () => {
  rmSync(folder, { recursive: true });
  await server.close();
});

/** Not waited for in this thread, which answers. */
function query(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(FAIRWAY, ['dns', 'query', ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

test('a server is asked straight, and the exit code says whether there is such a name', async () => {
  const at = ['--server', `127.0.0.1:${String(server.port)}`];
  const found = await query('web.shop.test', ...at);
  assert.equal(found.code, 0, found.stderr);
  assert.match(found.stdout, /^From +this machine$/m);
  assert.match(
    found.stdout,
    /^1 +web\.shop\.test\. +as it is +A +NOERROR +127\.0\.0\.1 +[\d.]+ ms +5 IN A 192\.0\.2\.7$/m,
  );
  const missing = await query('nope.test', '-o', 'json', ...at);
  assert.equal(missing.code, 1);
  assert.equal((JSON.parse(missing.stdout) as QueryReport).endings.musl.verdict, 'EAI_NONAME');
});

test('of an address the names are asked for', async () => {
  const at = ['--server', `127.0.0.1:${String(server.port)}`];
  const { stdout } = await query('192.0.2.7', ...at);
  assert.match(stdout, /^Types +PTR$/m);
  assert.match(stdout, /^1 +7\.2\.0\.192\.in-addr\.arpa\. +as it is +PTR +NXDOMAIN/m);
});

test('what cannot be asked ends with 2, and says why', async () => {
  const odd = await query('web', '--server', 'localhost');
  assert.deepEqual([odd.code, odd.stdout], [2, '']);
  assert.match(odd.stderr, /It must be an address, with or without a port/);
  const none = await query('web', '--resolv-conf', join(folder, 'none'));
  assert.deepEqual([none.code, none.stdout], [2, '']);
  assert.match(none.stderr, /ENOENT/);
  assert.equal((await query('web', '--type', 'NOPE', '--server', '127.0.0.1')).code, 2);
});

test('a resolv.conf of this machine is followed', async () => {
  // No question leaves this machine: the way is what is looked at.
  const file = join(folder, 'resolv.conf');
  writeFileSync(file, 'search shop.test\nnameserver nowhere\n');
  const { code, stdout } = await query('web', '--resolv-conf', file, '-o', 'json');
  assert.equal(code, 1);
  const { steps, hints, from } = JSON.parse(stdout) as QueryReport;
  assert.equal(from.kind, 'here');
  assert.deepEqual(
    steps.map(({ name, outcome }) => [name, outcome]),
    [['web.shop.test.', 'unreachable']],
  );
  assert.equal(hints[0]?.failure, 'F26');
});

test('servers and Pods as they are written', () => {
  assert.deepEqual(parseServer('10.96.0.10'), { address: '10.96.0.10', port: 53 });
  assert.deepEqual(parseServer('10.96.0.10:1053'), { address: '10.96.0.10', port: 1053 });
  assert.deepEqual(parseServer('fd00::a'), { address: 'fd00::a', port: 53 });
  assert.deepEqual(parseServer('[fd00::a]:1053'), { address: 'fd00::a', port: 1053 });
  for (const odd of ['', 'dns', '10.96.0.10:0', '10.96.0.10:99999', '10.96.0', '[fd00::a'])
    assert.throws(() => parseServer(odd), /must be an address/, odd);
  assert.deepEqual(podName('web', 'shop'), { namespace: 'shop', name: 'web' });
  assert.deepEqual(podName('pod/web', 'shop'), { namespace: 'shop', name: 'web' });
  assert.deepEqual(podName('other/web', 'shop'), { namespace: 'other', name: 'web' });
});

test('lines of the log stand under their heads', () => {
  const entry: LogEntry = {
    time: '2026-11-28T13:29:45.480Z',
    pod: 'shop/client',
    address: '10.244.1.3',
    transport: 'udp',
    name: 'www.example.org.',
    type: 'AAAA',
    rcode: 'SERVFAIL',
    answers: 0,
    plugin: 'forward',
    took: 12.3,
    source: '192.0.2.53:53',
  };
  const [head, line] = [renderHead(true), renderEntry(entry, 'node01')];
  for (const [title, value] of Object.entries({
    TIME: '13:29',
    POD: 'shop/',
    NODE: 'node01',
    NAME: 'www',
    RCODE: 'SERV',
    SOURCE: '192',
  }))
    assert.equal(line.indexOf(value), head.indexOf(title), `${head}${line}`);
  const { pod: _, rcode: __, source: ___, ...bare } = entry;
  assert.match(renderEntry(bare, undefined), /10\.244\.1\.3 +udp +www\.example\.org\. +AAAA +no answer +forward +12$/m);
});
