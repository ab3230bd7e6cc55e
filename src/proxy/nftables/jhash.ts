/**
 * The kernel's jhash (Bob Jenkins' lookup3), with which the rules for IPv6 affinity shorten addresses: whoever reads @affinity needs it
 * to know what an entry is about.
 */
import { HASH_MODULUS } from './affinity-rules.ts';

const INITIAL = 0xdeadbeef;
const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

/** `jhash KEY mod HASH_MODULUS seed SEED` in a rule; `key` has one byte per character. */
export function jhash(key: string, seed: number): number {
  let a = (INITIAL + key.length + seed) | 0;
  let b = a;
  let c = a;
  let at = 0;
  const word = () => {
    const value =
      byteAt(key, at) | (byteAt(key, at + 1) << 8) | (byteAt(key, at + 2) << 16) | (byteAt(key, at + 3) << 24);
    at += 4;
    return value;
  };
  while (key.length - at > 12) {
    a = (a + word()) | 0;
    b = (b + word()) | 0;
    c = (c + word()) | 0;
    [a, b, c] = mix(a, b, c);
  }
  if (key.length > at) {
    a = (a + word()) | 0;
    b = (b + word()) | 0;
    c = final(a, b, (c + word()) | 0);
  }
  // scaled as the kernel does it, by the upper half of a product of 64 bits
  return Number((BigInt(c >>> 0) * BigInt(HASH_MODULUS)) >> 32n);
}

const byteAt = (key: string, at: number): number => (at < key.length ? key.charCodeAt(at) : 0);

function mix(a: number, b: number, c: number): [number, number, number] {
  a = (a - c) ^ rotate(c, 4);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 6);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 8);
  b = (b + a) | 0;
  a = (a - c) ^ rotate(c, 16);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 19);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 4);
  b = (b + a) | 0;
  return [a, b, c];
}

function final(a: number, b: number, c: number): number {
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  return ((c ^ b) - rotate(b, 24)) | 0;
}
