/**
 * The keys of service account tokens: one signs, and several are believed, so that a key can be replaced while tokens of the old one are
 * still about. Files in PEM, private or public, one after another. Pure.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

export type Algorithm = 'RS256' | 'ES256' | 'ES384' | 'ES512';

export interface VerifyingKey {
  readonly publicKey: KeyObject;
  readonly algorithm: Algorithm;
  /** Names the key, here and to those who check tokens elsewhere. */
  readonly id: string;
}

export interface SigningKey extends VerifyingKey {
  readonly privateKey: KeyObject;
}

/** Throws an Error for what is no private RSA or EC key. */
export function signingKeyOf(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  return { privateKey, ...verifyingKeyOf(createPublicKey(privateKey)) };
}

/** Every key of the texts, each once. Throws an Error for a text without one. */
export function verifyingKeysOf(pems: readonly string[]): VerifyingKey[] {
  const keys = pems.flatMap((pem) => {
    const blocks = pem.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g) ?? [];
    const found = blocks.filter((block) => !block.includes('EC PARAMETERS'));
    if (found.length === 0) throw new Error('no key in PEM where keys of service account tokens should be');
    return found.map((block) => verifyingKeyOf(createPublicKey(block)));
  });
  return [...new Map(keys.map((key) => [key.id, key])).values()];
}

function verifyingKeyOf(publicKey: KeyObject): VerifyingKey {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { publicKey, algorithm: algorithmOf(publicKey), id: createHash('sha256').update(der).digest('base64url') };
}

const curves: Readonly<Record<string, Algorithm>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Algorithm {
  const curve = curves[asymmetricKeyDetails?.namedCurve ?? ''];
  if (asymmetricKeyType === 'rsa') return 'RS256';
  if (asymmetricKeyType === 'ec' && curve) return curve;
  throw new Error('keys of service account tokens must be RSA, or EC on P-256, P-384 or P-521');
}
