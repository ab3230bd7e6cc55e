import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { inClusterConnection } from './in-cluster.ts';

it('a Pod reaches its API server with the token it was given, also once it is renewed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fw-in-cluster-'));
  try {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    assert.throws(() => inClusterConnection(env, folder), /ENOENT/);
    writeFileSync(join(folder, 'ca.crt'), 'CA\n');
    writeFileSync(join(folder, 'token'), 'first\n');
    const connection = inClusterConnection(env, folder);
    assert.equal(connection?.server, 'https://[fd00::1]:443');
    assert.equal(connection.ca, 'CA');
    const { token } = connection;
    assert.ok(typeof token === 'function');
    assert.equal(token(), 'first');
    writeFileSync(join(folder, 'token'), 'second\n');
    assert.equal(token(), 'second');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('outside of a Pod there is none', () => {
  assert.equal(inClusterConnection({}), undefined);
});
