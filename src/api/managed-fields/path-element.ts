/**
 * One step of a path, spelled as FieldsV1 spells it: `f:name` a field, `k:{"port":80,"protocol":"TCP"}` the item of a list that has these
 * keys, `v:"a"` the item of a set with this value, `i:0` a position. One spelling per step, so that steps compare as text.
 */

export const fieldElement = (name: string): string => `f:${name}`;

/** `keys` must be sorted. */
export function keyElement(keys: readonly (readonly [name: string, value: unknown])[]): string {
  let text = 'k:{';
  for (const [name, value] of keys) {
    if (text.length > 3) text += ',';
    text += `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

export const valueElement = (value: unknown): string => `v:${JSON.stringify(value)}`;

/**
 * The one spelling of a step that a client wrote.
 * @throws Error for what is no step
 */
export function canonicalElement(element: string): string {
  const [kind, text] = [element.slice(0, 2), element.slice(2)];
  if (kind === 'f:') return element;
  if (kind === 'v:') return valueElement(JSON.parse(text));
  if (kind === 'i:' && /^(0|[1-9]\d{0,8})$/.test(text)) return element;
  if (kind !== 'k:') throw new Error(`unknown path element ${JSON.stringify(element.slice(0, 40))}`);
  const keys: unknown = JSON.parse(text);
  if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) throw new Error('a key is not an object');
  return keyElement(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `.spec.ports[port=80,protocol="TCP"].name`, as conflicts name fields. */
export function formatPath(path: readonly string[]): string {
  return path.map(formatElement).join('');
}

function formatElement(element: string): string {
  const text = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${text}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(text) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${text}]`;
    default:
      return `[${text}]`;
  }
}
