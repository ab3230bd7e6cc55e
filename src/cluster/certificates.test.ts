import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CertificateRequest } from './certificate-request.ts';
import { ensureCertificates, pkiPaths } from './certificates.ts';

const REQUESTS: CertificateRequest[] = [
  {
    file: 'apiserver',
    commonName: 'kube-apiserver',
    use: 'server',
    ips: ['172.30.0.1', '10.96.0.1'],
    names: ['kubernetes.default.svc'],
  },
  { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
];

test('the authority signs what is asked, once, and again only when it must', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-pki-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const paths = pkiPaths(folder);
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.deepEqual(await ensureCertificates(folder, REQUESTS, now), ['apiserver', 'admin']);
  const ca = new X509Certificate(readFileSync(paths.ca));
  const server = new X509Certificate(readFileSync(paths.cert('apiserver')));
  const admin = new X509Certificate(readFileSync(paths.cert('admin')));
  assert.ok(ca.ca && ca.verify(ca.publicKey));
  assert.ok(server.checkIssued(ca) && server.verify(ca.publicKey));
  assert.equal(server.checkIP('10.96.0.1'), '10.96.0.1');
  assert.equal(server.checkHost('kubernetes.default.svc'), 'kubernetes.default.svc');
  assert.equal(admin.subject, 'O=system:masters\nCN=kubernetes-admin');
  assert.ok(admin.checkPrivateKey(createPrivateKey(readFileSync(paths.key('admin')))));
  assert.equal(statSync(paths.key('admin')).mode & 0o777, 0o600);

  assert.deepEqual(await ensureCertificates(folder, REQUESTS, now), [], 'nothing to do the second time');

  const moved = [{ ...REQUESTS[0]!, ips: ['172.30.1.1'] }, REQUESTS[1]!];
  const adminBefore = readFileSync(paths.cert('admin'), 'utf8');
  assert.deepEqual(
    await ensureCertificates(folder, moved, now),
    ['apiserver'],
    'another address wants another certificate',
  );
  assert.equal(readFileSync(paths.cert('admin'), 'utf8'), adminBefore, 'the others stay');
  assert.ok(new X509Certificate(readFileSync(paths.cert('apiserver'))).checkIssued(ca), 'by the same authority');

  assert.deepEqual(
    await ensureCertificates(folder, moved, now + 340 * 24 * 3600 * 1000),
    ['apiserver', 'admin'],
    'renewed in the last thirty days',
  );
});

test('a key that does not belong to its certificate, as a killed start leaves it, is made anew with it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-pki-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const paths = pkiPaths(folder);
  await ensureCertificates(folder, REQUESTS);
  copyFileSync(paths.key('admin'), paths.key('apiserver'));
  assert.deepEqual(await ensureCertificates(folder, REQUESTS), ['apiserver']);
  rmSync(paths.key('admin'));
  assert.deepEqual(await ensureCertificates(folder, REQUESTS), ['admin']);
});

test("without the authority's key nothing is signed by another authority in silence", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-pki-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const paths = pkiPaths(folder);
  await ensureCertificates(folder, REQUESTS);
  rmSync(paths.key('ca'));
  assert.deepEqual(await ensureCertificates(folder, REQUESTS), [], 'what is there goes on');
  rmSync(paths.cert('admin'));
  await assert.rejects(ensureCertificates(folder, REQUESTS), /ca\.key is not there.*fairway down --purge/);
});
