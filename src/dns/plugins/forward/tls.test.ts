/** DNS over TLS (RFC 7858) against a real TLS server on the loopback link, with certificates of an authority of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { ensureCertificates, pkiPaths } from '../../../cluster/certificates.ts';
import { RCODE, replyTo } from '../../wire/message.ts';
import { decodeMessage, encodeMessage, MAX_MESSAGE } from '../../wire/message-codec.ts';
import { recordOf } from './fake-upstream.ts';
import { forwarding } from './forwarding.ts';
import { framed } from './stream-pool.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'fairway-dns-tls-'));
const files = pkiPaths(folder);
/** One that takes anybody, and one that wants to know who asks. */
let open: Server;
let strict: Server;
const names: (string | false | null | undefined)[] = [];

before(async () => {
  await ensureCertificates(folder, [
    { file: 'server', commonName: 'dns.example', names: ['dns.example'], ips: ['127.0.0.1'], use: 'server' },
    { file: 'client', commonName: 'node01', use: 'client' },
  ]);
  open = await listen(false);
  strict = await listen(true);
});

after(async () => {
  open.close();
  strict.close();
  await rm(folder, { recursive: true });
});

async function listen(requestCert: boolean): Promise<Server> {
  const [key, cert, ca] = [files.key('server'), files.cert('server'), files.ca].map((file) => readFileSync(file));
  const server = createServer({ key, cert, ca, requestCert, rejectUnauthorized: requestCert }, (socket) => {
    names.push(socket.servername);
    answerOn(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function answerOn(socket: TLSSocket): void {
  let held = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const query = decodeMessage(held.subarray(2, 2 + held.readUInt16BE(0)));
      held = held.subarray(2 + held.readUInt16BE(0));
      const answers = [recordOf(`${query.questions[0]?.name ?? ''} 60 A 192.0.2.1`)];
      socket.write(framed(encodeMessage({ ...replyTo(query, RCODE.NOERROR), answers }, MAX_MESSAGE)));
    }
  });
}

const portOf = (server: Server): string => String((server.address() as AddressInfo).port);
const ca = (more = '') => `{\ntls ${files.ca}\n${more}\n}`;

for (const [why, text, expected] of [
  ['the address in the certificate is enough', () => `tls://127.0.0.1:${portOf(open)} ${ca()}`, 'NOERROR'],
  [
    'so is the name that is asked for',
    () => `tls://127.0.0.1:${portOf(open)} ${ca('tls_servername dns.example')}`,
    'NOERROR',
  ],
  ['or that stands behind the address', () => `tls://127.0.0.1%dns.example:${portOf(open)} ${ca()}`, 'NOERROR'],
  [
    'another name is not believed',
    () => `tls://127.0.0.1:${portOf(open)} ${ca('tls_servername bank.example')}`,
    /Hostname\/IP does not match/,
  ],
  [
    'nor an authority that the system does not know',
    () => `tls://127.0.0.1:${portOf(open)}`,
    /self-signed certificate|unable to verify|unable to get/,
  ],
  [
    'a certificate of one’s own is shown',
    () => `tls://127.0.0.1:${portOf(strict)} {\ntls ${files.cert('client')} ${files.key('client')} ${files.ca}\n}`,
    'NOERROR',
  ],
  ['who has none is not served', () => `tls://127.0.0.1:${portOf(strict)} ${ca()}`, /127\.0\.0\.1/],
] as const) {
  test(why, async () => {
    const server = await forwarding(`forward . ${text()}`);
    try {
      const { message, problem = '' } = await server.ask('www.example.');
      if (expected === 'NOERROR')
        assert.deepEqual([message.rcode, message.answers.length], [RCODE.NOERROR, 1], problem);
      else {
        assert.equal(message.rcode, RCODE.SERVFAIL);
        assert.match(problem, expected);
      }
    } finally {
      await server.stop();
    }
  });
}

test('a connection carries many questions, and the server is told the name that is expected of it', async () => {
  names.length = 0;
  const server = await forwarding(`forward . tls://127.0.0.1:${portOf(open)} ${ca('tls_servername dns.example')}`);
  try {
    for (let at = 0; at < 5; at++)
      assert.equal(await server.short('www.example.'), 'NOERROR www.example. 60 IN A 192.0.2.1');
    assert.deepEqual(names, ['dns.example']);
    const figures = server.runtime.metrics.render();
    assert.match(figures, /coredns_proxy_conn_cache_hits_total\{[^}]*proto="tcp-tls"\} 4/);
    assert.match(figures, /coredns_proxy_conn_cache_misses_total\{[^}]*proto="tcp-tls"\} 1/);
  } finally {
    await server.stop();
  }
});
