/**
 * A cluster's own certificate authority and what it signs: the API server's certificate, one client certificate per identity, one
 * serving certificate per kubelet, and the key that signs service account tokens. ECDSA P-256; the authority lasts ten years,
 * everything else one, renewed by `up` in its last thirty days. Keys are written readable by root alone.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { CertificateRequest } from './certificate-request.ts';

const DAY = 24 * 60 * 60 * 1000;
const RENEW_BEFORE = 30 * DAY;

export interface PkiPaths {
  readonly ca: string;
  readonly serviceAccountKey: string;
  cert(file: string): string;
  key(file: string): string;
}

export function pkiPaths(folder: string): PkiPaths {
  return {
    ca: join(folder, 'ca.crt'),
    serviceAccountKey: join(folder, 'service-account.key'),
    cert: (file) => join(folder, `${file}.crt`),
    key: (file) => join(folder, `${file}.key`),
  };
}

/** Whether the certificate is still what `request` asks for at `now`, and its key the one that belongs to it. */
function isCurrent(paths: PkiPaths, caPem: string, request: CertificateRequest, now: number): boolean {
  const [path, keyPath] = [paths.cert(request.file), paths.key(request.file)];
  if (!existsSync(path) || !existsSync(keyPath)) return false;
  const certificate = new X509Certificate(readFileSync(path));
  const alternatives = certificate.subjectAltName ?? '';
  return (
    // Not so when we were killed between the two writes.
    certificate.checkPrivateKey(createPrivateKey(readFileSync(keyPath))) &&
    certificate.verify(new X509Certificate(caPem).publicKey) &&
    Date.parse(certificate.validTo) - now > RENEW_BEFORE &&
    certificate.subject.split('\n').includes(`CN=${request.commonName}`) &&
    (request.ips ?? []).every((ip) => alternatives.includes(`IP Address:${ip}`)) &&
    (request.names ?? []).every((name) => alternatives.includes(`DNS:${name}`))
  );
}

function writeSecret(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
}

/**
 * Makes what is missing or about to expire and returns the files of those requests: whoever uses them must be started anew. The library is
 * loaded only then: it costs 100 ms. Throws where the authority's certificate is there and its key is not.
 */
export async function ensureCertificates(
  folder: string,
  requests: readonly CertificateRequest[],
  now = Date.now(),
): Promise<readonly string[]> {
  const paths = pkiPaths(folder);
  const caPem = existsSync(paths.ca) ? readFileSync(paths.ca, 'utf8') : undefined;
  const missing = requests.filter((request) => caPem === undefined || !isCurrent(paths, caPem, request, now));
  if (caPem !== undefined && missing.length === 0 && existsSync(paths.serviceAccountKey)) return [];
  if (caPem !== undefined && !existsSync(paths.key('ca')))
    throw new Error(
      `${paths.key('ca')} is not there, so no certificate can be signed; put it back, or start anew with: fairway down --purge`,
    );
  const { openAuthority, privateKeyPem } = await import('./certificate-authority.ts');
  const authority = await openAuthority(paths.ca, paths.key('ca'), now);
  if (authority.created) {
    writeSecret(paths.key('ca'), authority.keyPem);
    writeFileSync(paths.ca, authority.certPem, { mode: 0o644 });
  }
  await Promise.all(
    missing.map(async (request) => {
      const { certPem, keyPem } = await authority.sign(request, now);
      writeSecret(paths.key(request.file), keyPem);
      writeFileSync(paths.cert(request.file), certPem, { mode: 0o644 });
    }),
  );
  if (!existsSync(paths.serviceAccountKey)) writeSecret(paths.serviceAccountKey, await privateKeyPem());
  return missing.map(({ file }) => file);
}
