import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { createConnection, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { GrpcChannel } from './channel.ts';
import { GRPC, GrpcError } from './grpc-error.ts';

test('a channel that is closed in the moment it connects fails its call, and nothing else', async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const channel: GrpcChannel = new GrpcChannel({
    name: 'test',
    open: () => {
      const socket = createConnection(port, '127.0.0.1');
      socket.once('connect', () => {
        // after the session was set up, before it tells so
        process.nextTick(() => {
          channel.close();
        });
      });
      return socket;
    },
  });
  await assert.rejects(channel.call('/a/B', Buffer.alloc(0), 5000), (error) => {
    assert.ok(error instanceof GrpcError, String(error));
    assert.equal(error.code, GRPC.unavailable);
    return true;
  });
});
