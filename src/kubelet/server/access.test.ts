import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../client/client.ts';
import { FakeClock } from '../../lib/clock.ts';
import { createAccess } from './access.ts';

/** An API server that knows one token and one right, and remembers what it was asked. */
function start() {
  const clock = new FakeClock();
  const asked: unknown[] = [];
  const create = (kind: { kind: string }, { spec }: { spec: Record<string, unknown> }) => {
    asked.push(spec);
    const user = { username: 'scraper', uid: '1', groups: ['g'] };
    if (kind.kind === 'TokenReview')
      return Promise.resolve({ status: spec['token'] === 'good' ? { authenticated: true, user } : {} });
    const { subresource } = spec['resourceAttributes'] as { subresource: string };
    return Promise.resolve({ status: { allowed: subresource === 'metrics' } });
  };
  const access = createAccess({ create: create as unknown as Client['create'] }, 'node01', clock);
  return { access, asked, clock };
}

test('whose a token is is asked once in two minutes, and each time where it is not good', async () => {
  const { access, asked, clock } = start();
  for (let i = 0; i < 3; i++) assert.deepEqual(await access.user('good'), { user: 'scraper', uid: '1', groups: ['g'] });
  assert.deepEqual(asked, [{ token: 'good' }]);
  clock.advance(120_001);
  await access.user('good');
  assert.equal(await access.user('bad'), undefined);
  assert.equal(await access.user('bad'), undefined);
  assert.equal(asked.length, 4);
});

test('a right is asked for as one to a subresource of this node, and a refusal is forgotten sooner', async () => {
  const { access, asked, clock } = start();
  const peer = { user: 'scraper', groups: ['g'] };
  assert.equal(await access.allows(peer, 'get', 'metrics'), true);
  assert.equal(await access.allows(peer, 'get', 'proxy'), false);
  assert.deepEqual(asked[0], {
    user: 'scraper',
    groups: ['g'],
    uid: undefined,
    extra: undefined,
    resourceAttributes: { verb: 'get', version: 'v1', resource: 'nodes', subresource: 'metrics', name: 'node01' },
  });
  clock.advance(31_000);
  await access.allows(peer, 'get', 'metrics');
  assert.equal(asked.length, 2, 'the permission is still known');
  await access.allows(peer, 'get', 'proxy');
  assert.equal(asked.length, 3, 'the refusal is not');
  await access.allows({ ...peer, groups: [] }, 'get', 'metrics');
  assert.equal(asked.length, 4, 'another user is another question');
});
