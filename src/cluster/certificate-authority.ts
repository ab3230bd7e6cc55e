/** Signing, through @peculiar/x509 and WebCrypto. Kept apart so that only a start that needs new certificates loads it. */
import 'reflect-metadata';
import { existsSync, readFileSync } from 'node:fs';
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { CertificateRequest } from './certificate-request.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 24 * 60 * 60 * 1000;
/** Clocks differ a little between machines. */
const BACKDATE = 5 * 60 * 1000;

x509.cryptoProvider.set(webcrypto as unknown as Crypto);

interface Pair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Authority extends Pair {
  readonly created: boolean;
  sign(request: CertificateRequest, now: number): Promise<Pair>;
}

const generate = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function toPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** A new P-256 private key as PKCS#8 text. */
export async function privateKeyPem(): Promise<string> {
  return toPem((await generate()).privateKey);
}

/** The positive 127-bit serial number of RFC 5280, section 4.1.2.2. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}

async function createAuthority(
  now: number,
): Promise<{ key: webcrypto.CryptoKey; certificate: x509.X509Certificate; keyPem: string }> {
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['fairway-ca'] }],
    notBefore: new Date(now - BACKDATE),
    notAfter: new Date(now + 3650 * DAY),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: keys.privateKey, certificate, keyPem: await toPem(keys.privateKey) };
}

async function loadAuthority(certFile: string, keyFile: string) {
  const keyPem = readFileSync(keyFile, 'utf8');
  const [der] = x509.PemConverter.decode(keyPem);
  if (!der) throw new Error(`${keyFile} holds no private key`);
  const key = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
  return { key, certificate: new x509.X509Certificate(readFileSync(certFile, 'utf8')), keyPem };
}

/** The authority in these files, or a new one (not yet written: `created`). */
export async function openAuthority(certFile: string, keyFile: string, now: number): Promise<Authority> {
  const present = existsSync(certFile) && existsSync(keyFile);
  const { key, certificate, keyPem } = present ? await loadAuthority(certFile, keyFile) : await createAuthority(now);
  return {
    created: !present,
    certPem: certificate.toString('pem') + '\n',
    keyPem,
    async sign(request, at) {
      const keys = await generate();
      const alternatives = [
        ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
        ...(request.names ?? []).map((value) => ({ type: 'dns' as const, value })),
      ];
      const signed = await x509.X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        subject: [...(request.organization ? [{ O: [request.organization] }] : []), { CN: [request.commonName] }],
        issuer: certificate.subject,
        notBefore: new Date(at - BACKDATE),
        notAfter: new Date(at + 365 * DAY),
        signingAlgorithm: ALGORITHM,
        publicKey: keys.publicKey,
        signingKey: key,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([
            request.use === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth,
          ]),
          ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
          await x509.AuthorityKeyIdentifierExtension.create(certificate),
        ],
      });
      return { certPem: signed.toString('pem') + '\n', keyPem: await toPem(keys.privateKey) };
    },
  };
}
