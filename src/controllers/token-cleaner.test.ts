import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECRETS } from '../api/kinds.ts';
import type { Secret } from '../api/types.ts';
import { FakeClient } from '../client/fake-client.ts';
import { FakeClock } from '../lib/clock.ts';
import { runFor, until } from './test-objects.ts';
import { expirationOf, tokenCleanerController } from './token-cleaner.ts';

test('a bootstrap token goes when its time has passed, and not before', async (t) => {
  const clock = new FakeClock(Date.parse('2026-11-28T12:00:00Z'));
  const token = (name: string, expiration: string, type = 'bootstrap.kubernetes.io/token'): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'kube-system', uid: name },
    type,
    data: { expiration: Buffer.from(expiration).toString('base64') },
  });
  const client = new FakeClient(
    [
      token('gone', '2026-11-28T11:00:00Z'),
      token('soon', '2026-11-28T13:00:00Z'),
      token('other', '2026-11-28T11:00:00Z', 'Opaque'),
    ],
    clock,
  );
  assert.equal(expirationOf(token('never', '')), undefined);
  const running = runFor(t, client, [tokenCleanerController], clock);
  const names = (...wanted: string[]) =>
    until(
      client,
      SECRETS,
      (all) =>
        all
          .map(({ metadata }) => metadata.name)
          .sort()
          .join() === wanted.join(),
    );
  await names('other', 'soon');
  await running.idle();
  clock.advance(3_600_000);
  await names('other');
});
