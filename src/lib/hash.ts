/** Short names from long ones. */
import { hash } from 'node:crypto';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** First `length` characters (at most 51) of the SHA-256 of `text` in RFC 4648 base32: how kube-proxy names its chains. */
export function sha256Base32(text: string, length: number): string {
  const digest = hash('sha256', text, 'buffer');
  const out = Buffer.allocUnsafe(length);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const byte of digest) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5 && at < length) {
      bits -= 5;
      out[at++] = BASE32.charCodeAt((held >> bits) & 31);
    }
    if (at >= length) break;
  }
  return out.toString('latin1', 0, at);
}

/** 32-bit FNV-1a of the UTF-8 bytes, unsigned. Not for anything an enemy could choose. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
