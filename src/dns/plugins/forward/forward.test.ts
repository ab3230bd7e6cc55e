import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createForwarder } from './forward.ts';
import { RCODE, TYPE } from '../../wire/message.ts';

const QUESTION = { name: 'www.example.com.', type: TYPE.A, class: 1 };

test('an upstream the kernel will not connect to is a SERVFAIL at once', async () => {
  // The broadcast address is refused as one without a route is, and nothing is sent.
  const forwarder = createForwarder({ upstreams: [{ address: '255.255.255.255', port: 53 }], timeoutMs: 60_000 });
  assert.deepEqual(await forwarder.ask(QUESTION), { rcode: RCODE.SERVFAIL });
});
