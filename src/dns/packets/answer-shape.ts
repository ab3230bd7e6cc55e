/** Where an answer's address records stand, so that they can change places as `loadbalance` would have it. Pure. */
const TYPE_A = 1;
const TYPE_MX = 15;
const TYPE_AAAA = 28;

export interface AddressRun {
  /** Of the first address, from the beginning of the message. */
  readonly start: number;
  /** From one address to the next, bytes. */
  readonly stride: number;
  /** 4 or 16. */
  readonly size: number;
  /** 0 where there is nothing to change. */
  readonly count: number;
}

const NONE: AddressRun = { start: 0, stride: 0, size: 0, count: 0 };

interface Found {
  readonly type: number;
  /** Of the record, and of its data. */
  readonly at: number;
  readonly data: number;
  readonly next: number;
}

/**
 * @param reply a message of ours
 * @param at where the answers begin
 * @returns undefined where addresses cannot just change places: they are of several kinds or names, or what changes are mail exchangers
 */
export function addressRun(reply: Uint8Array, at: number, answers: number): AddressRun | undefined {
  const addresses: Found[] = [];
  let exchangers = 0;
  let next = at;
  for (let left = answers; left > 0; left--) {
    const record = recordAt(reply, next);
    next = record.next;
    if (record.type === TYPE_MX) exchangers++;
    if (record.type === TYPE_A || record.type === TYPE_AAAA) addresses.push(record);
  }
  if (exchangers > 1) return undefined;
  const [first] = addresses;
  if (!first || addresses.length === 1) return NONE;
  const stride = first.next - first.at;
  const isRun = addresses.every((one, number) => one.at === first.at + number * stride && sameHead(reply, first, one));
  if (!isRun) return undefined;
  return { start: first.data, stride, size: first.next - first.data, count: addresses.length };
}

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

function recordAt(bytes: Uint8Array, at: number): Found {
  let end = at;
  for (let label = bytes[end] ?? 0; label !== 0 && label < 0xc0; label = bytes[end] ?? 0) end += label + 1;
  const head = end + ((bytes[end] ?? 0) === 0 ? 1 : 2);
  const data = head + 10;
  return { type: u16(bytes, head), at, data, next: data + u16(bytes, head + 8) };
}

/** Name, type, class, TTL and length. */
function sameHead(bytes: Uint8Array, a: Found, b: Found): boolean {
  const length = a.data - a.at;
  if (b.data - b.at !== length) return false;
  for (let offset = 0; offset < length; offset++) if (bytes[a.at + offset] !== bytes[b.at + offset]) return false;
  return true;
}
