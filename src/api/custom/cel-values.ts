/** From JSON to the values CEL works on, by schema: whole numbers, times and durations are types of their own there. */
import { isRecord, itemOf, propertyOf, type JsonSchema } from './schema.ts';

/** Records become Maps, so that no key of theirs means anything to JavaScript. Without a schema the JSON type decides. */
export function toCel(value: unknown, schema: JsonSchema | undefined): unknown {
  if (Array.isArray(value)) {
    const item = schema && itemOf(schema);
    return value.map((each) => toCel(each, item));
  }
  if (isRecord(value)) {
    const entries = Object.entries(value).map(([key, each]): [string, unknown] => {
      const isField = schema?.properties !== undefined && Object.hasOwn(schema.properties, key);
      return [isField ? escaped(key) : key, toCel(each, schema && propertyOf(schema, key))];
    });
    return new Map(entries);
  }
  if (typeof value === 'number') return Number.isInteger(value) && schema?.type !== 'number' ? BigInt(value) : value;
  if (typeof value === 'string' && schema?.type === 'string') return formatted(value, schema.format);
  return value;
}

function formatted(value: string, format: string | undefined): unknown {
  if (format !== 'date' && format !== 'date-time' && format !== 'byte') return value;
  if (format === 'byte') return new Uint8Array(Buffer.from(value, 'base64'));
  const moment = new Date(value);
  return Number.isNaN(moment.getTime()) ? value : moment;
}

const words: readonly string[] =
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  );

/** A field's name as an identifier: `a-b` is `a__dash__b`, `namespace` is `__namespace__`. */
function escaped(name: string): string {
  if (words.includes(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}
