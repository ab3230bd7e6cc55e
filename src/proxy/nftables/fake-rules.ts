/** Rules of the fake in bytes: a text as one expression of its own making, and the numbers that may be changed as the kernel's expressions have them. */
import { attribute } from '../../host/netlink/nf-image.ts';
import { eachAttribute } from '../../host/netlink/message-reader.ts';

const NUMBERS = /(?<=numgen random mod )\d+|(?<=timeout )\d+(?=s)/g;
const string = (text: string) => Buffer.from(`${text}\0`);

/** A rule's attributes. */
export function ruleBytes(text: string): Uint8Array {
  const expressions = [expression('text', attribute(1, Buffer.from(text.replaceAll(NUMBERS, '%'))))];
  for (const [number, { index }] of [...text.matchAll(NUMBERS)].map((found) => [Number(found[0]), found] as const)) {
    const isModulus = text.slice(0, index).endsWith('mod ');
    const value = Buffer.alloc(isModulus ? 4 : 8);
    if (isModulus) value.writeUInt32BE(number);
    else value.writeBigUInt64BE(BigInt(number * 1000));
    expressions.push(isModulus ? expression('numgen', attribute(2, value)) : expression('dynset', attribute(6, value)));
  }
  return attribute(4, Buffer.concat(expressions));
}

const expression = (name: string, data: Uint8Array) =>
  attribute(1, Buffer.concat([attribute(1, string(name)), attribute(2, data)]));

/** The text of a rule's attributes. */
export function ruleText(bytes: Uint8Array): string {
  let text = '';
  const numbers: string[] = [];
  const inner = (value: Uint8Array, visit: (type: number, value: Uint8Array) => void) => {
    eachAttribute(value, 0, value.length, (type, from, to) => {
      visit(type, value.subarray(from, to));
    });
  };
  inner(bytes, (_rule, list) => {
    if (_rule !== 4) return;
    inner(list, (_element, one) => {
      inner(one, (part, data) => {
        if (part !== 2) return;
        inner(data, (type, value) => {
          const found = Buffer.from(value);
          if (type === 1) text = found.toString();
          if (type === 2) numbers.push(String(found.readUInt32BE()));
          if (type === 6) numbers.push(String(Number(found.readBigUInt64BE()) / 1000));
        });
      });
    });
  });
  return text.replaceAll('%', () => numbers.shift() ?? '%');
}
