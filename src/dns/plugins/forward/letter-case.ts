/**
 * Letters of a name in a random case, which the answer must repeat: one more bit per letter that a forger would have to guess (the draft "0x20").
 * Pure but for the bits it is given.
 */
/** @param bits random bytes, a bit per letter is used; names longer than they reach keep their tail */
export function mixCase(name: string, bits: Uint8Array): string {
  let mixed = '';
  for (let at = 0; at < name.length; at++) {
    const char = name.charAt(at);
    const bit = ((bits[at >> 3] ?? 0) >> (at & 7)) & 1;
    mixed +=
      at >> 3 < bits.length && isLetter(name.charCodeAt(at))
        ? bit === 1
          ? char.toUpperCase()
          : char.toLowerCase()
        : char;
  }
  return mixed;
}

const isLetter = (code: number): boolean => (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
