/** What tells the items of a list apart: its keys, or the item itself. */
import { isRecord, own, type ListSchema } from './merge-schema.ts';
import { keyElement, valueElement } from './path-element.ts';

/** Or what is wrong with the item. */
export type Identified = { readonly element: string } | { readonly problem: string };

export function identify(schema: ListSchema, item: unknown): Identified {
  if (schema.list === 'set') {
    if (typeof item === 'object') return { problem: 'sets can only contain scalars' };
    return { element: valueElement(item) };
  }
  if (!isRecord(item)) return { problem: 'associative list with keys may not have non-map elements' };
  const keys: [string, unknown][] = [];
  for (const key of schema.keys) {
    const value = own(item, key) ?? defaultOf(schema, key);
    if (value !== undefined) keys.push([key, value]);
  }
  if (keys.length > 0) return { element: keyElement(keys) };
  return {
    problem: `associative list with keys has an element that omits all key fields ${goTexts(schema.keys)} (and doesn't have default values for any key fields)`,
  };
}

const goTexts = (texts: readonly string[]): string => `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;

function defaultOf({ item }: ListSchema, key: string): unknown {
  return item.type === 'map' ? item.fields.get(key)?.default : undefined;
}

/** Element -> the items that have it, in the order of the list. An item that cannot be told apart is left out. */
export function indexItems(schema: ListSchema, list: readonly unknown[]): Map<string, unknown[]> {
  const index = new Map<string, unknown[]>();
  for (const item of list) {
    const identified = identify(schema, item);
    if (!('element' in identified)) continue;
    const same = index.get(identified.element);
    if (same) same.push(item);
    else index.set(identified.element, [item]);
  }
  return index;
}
