import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { listeningSockets, parseListening, takeDescriptors } from './listening-sockets.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7001 1 0000000000000000 100 0 0 10 0
   1: 0100007F:9C41 0100007F:A001 01 00000000:00000000 00:00000000 00000000     0        0 7002 1 0000000000000000 20 4 30 10 -1
`;

test('what listens is told from what is connected', () => {
  assert.deepEqual([...parseListening(TCP, '0A')], [['7001', 40001]]);
  assert.deepEqual([...parseListening('', '0A')], []);
});

test('sockets of this process are found by protocol and port, those of nobody are none', async (t) => {
  const server = createServer();
  const socket = createSocket('udp4');
  t.after(() => {
    server.close();
    socket.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const found = listeningSockets('self', 'IPv4');
  assert.ok(found.has(`TCP ${String((server.address() as AddressInfo).port)}`));
  assert.ok(found.has(`UDP ${String(socket.address().port)}`));
  assert.equal(listeningSockets('self', 'IPv6').size, 0);
  assert.equal(listeningSockets(2 ** 22, 'IPv4').size, 0);
});

test('what was opened while nobody listened is served by who takes the socket over', async (t) => {
  const code = `const s = require('node:net').createServer().listen(0, '127.0.0.1', () => {
    require('node:child_process').spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', s._handle.fd], detached: true, env: {} });
    console.log(s.address().port);
  });`;
  // a process that is killed, and one that has its socket
  const first = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = Number(((await once(first.stdout, 'data')) as [Buffer])[0].toString());
  const keeper = Number(readFileSync(`/proc/${String(first.pid)}/task/${String(first.pid)}/children`, 'utf8'));
  t.after(() => process.kill(keeper, 'SIGKILL'));
  first.kill('SIGKILL');
  await once(first, 'exit');
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  const fd = listeningSockets(keeper, 'IPv4').get(`TCP ${String(port)}`) ?? -1;
  const [taken, missing] = takeDescriptors(keeper, [fd, 999]);
  assert.ok(taken !== undefined);
  assert.equal(missing, undefined);
  const server = createServer((socket) => socket.end('here'));
  t.after(() => server.close());
  server.listen({ fd: taken });
  assert.equal(String(((await once(client, 'data')) as [Buffer])[0]), 'here');
  await once(client, 'close');
});
