/** Request bodies in YAML, which kubectl may send too (features 8-015, 8-017). Bounded in time and memory, whatever the text. */
import {
  constructFromEvents,
  CORE_SCHEMA,
  EVENT_ID,
  getScalarValue,
  mergeTag,
  parseEvents,
  YAMLException,
  type Event,
} from 'js-yaml';
import { badRequest } from './api-error.ts';
import { MAX_DEPTH, MAX_NAMED, type ParsedBody } from './json.ts';

const schema = CORE_SCHEMA.withTags(mergeTag);
/** Values a document may have once its aliases are written out: more than any body of 3 MiB has without them. */
const MAX_VALUES = 2_000_000;

/**
 * Of a field given twice the last counts, and a line says so.
 * @throws ApiError 400 when the text is not one YAML document.
 */
export function parseYaml(text: string, refusal = 'error converting YAML to JSON'): ParsedBody {
  const bad = (why: string) => badRequest(`${refusal}: yaml: ${why}`);
  try {
    const events = parseEvents(text, { maxDepth: MAX_DEPTH });
    if (events.filter(({ type }) => type === EVENT_ID.DOCUMENT).length > 1) throw bad('more than one document');
    const [value = null] = constructFromEvents(events, { source: text, schema, json: true });
    if (sizeOf(value, 0, new Map()).count > MAX_VALUES) throw bad('document contains excessive aliasing');
    return { value, duplicateFields: describeDuplicates(text, events) };
  } catch (error) {
    if (error instanceof YAMLException) throw bad(error.message.split('\n')[0] ?? '');
    throw error;
  }
}

interface Size {
  readonly count: number;
  readonly height: number;
}
const endless: Size = { count: Infinity, height: Infinity };

/**
 * How many values it would be written out, and how deep. Each shared one is looked at once. One that holds itself is endless, and so is
 * one that aliases make deeper than any text may be.
 */
function sizeOf(value: unknown, depth: number, known: Map<object, Size>): Size {
  if (typeof value !== 'object' || value === null) return { count: 1, height: 0 };
  const before = known.get(value);
  if (before !== undefined) return depth + before.height > MAX_DEPTH ? endless : before;
  if (depth > MAX_DEPTH) return endless;
  known.set(value, endless);
  let [count, height] = [1, 0];
  for (const each of Object.values(value)) {
    const inner = sizeOf(each, depth + 1, known);
    count += inner.count;
    height = Math.max(height, inner.height + 1);
  }
  known.set(value, { count, height });
  return { count, height };
}

interface Frame {
  /** Of a mapping: its keys so far. */
  readonly keys?: Set<string>;
  /** Whether what comes next is a key. */
  atKey: boolean;
}

/** One text with a line for each, in the words of Go's parser. */
function describeDuplicates(text: string, events: readonly Event[]): string[] {
  const lines: string[] = [];
  const frames: Frame[] = [];
  for (const event of events) {
    const frame = frames.at(-1);
    if (event.type === EVENT_ID.POP) {
      frames.pop();
      continue;
    }
    if (event.type === EVENT_ID.SCALAR && frame?.keys && frame.atKey) {
      const key = getScalarValue(text, event);
      if (frame.keys.has(key) && lines.length < MAX_NAMED) {
        const line = text.slice(0, event.valueStart).split('\n').length;
        lines.push(`\n  line ${String(line)}: key ${JSON.stringify(key)} already set in map`);
      }
      frame.keys.add(key);
    }
    if (frame) frame.atKey = !frame.atKey;
    if (event.type === EVENT_ID.MAPPING) frames.push({ keys: new Set(), atKey: true });
    else if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.DOCUMENT) frames.push({ atKey: false });
  }
  return lines.length === 0 ? [] : [`yaml: unmarshal errors:${lines.join('')}`];
}
