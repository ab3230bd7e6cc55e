/** Request bodies as text: JSON with its duplicate fields named, and YAML, which kubectl may send too (feature 8-015, 8-017). */
import { parseDocument } from 'yaml';
import { badRequest } from './api-error.ts';

export interface ParsedBody {
  readonly value: unknown;
  /** `duplicate field "spec.ports[0].port"`, each once, in the order of the text. */
  readonly duplicateFields: string[];
}

/** Deeper nesting than any real object; the limit keeps a hostile body from exhausting the stack. */
const maxDepth = 500;

/** @throws ApiError 400 when the text is not one JSON value. */
export function parseJsonWithDuplicates(text: string): ParsedBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(
      `couldn't get version/kind; json parse error: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return { value, duplicateFields: findDuplicateFields(text) };
}

/** @throws ApiError 400 when the text is not one YAML document. */
export function parseYaml(text: string): ParsedBody {
  const document = parseDocument(text, { uniqueKeys: false, schema: 'core', merge: true });
  const [error] = document.errors;
  if (error) throw badRequest(`error converting YAML to JSON: yaml: ${error.message.split('\n')[0] ?? ''}`);
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown, duplicateFields: [] };
  } catch (cause) {
    throw badRequest(`error converting YAML to JSON: yaml: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

interface Frame {
  /** The keys seen so far; absent for a list. */
  readonly keys?: Set<string>;
  /** Where the frame itself is: `spec.ports`. */
  readonly path: string;
  index: number;
  key: string;
}

/**
 * Walks text that is known to be valid JSON. Only strings, brackets, commas and colons matter: a string before a colon is a key.
 */
export function findDuplicateFields(text: string): string[] {
  const found = new Set<string>();
  const frames: Frame[] = [];
  const token = /"((?:[^"\\]|\\.)*)"\s*(:?)|[{}[\],]/g;
  for (const match of text.matchAll(token)) {
    const frame = frames.at(-1);
    switch (match[0]) {
      case '{':
      case '[': {
        if (frames.length >= maxDepth) throw badRequest('json: exceeded max depth');
        const path = frame ? childPath(frame) : '';
        frames.push({ path, index: 0, key: '', ...(match[0] === '{' && { keys: new Set<string>() }) });
        break;
      }
      case '}':
      case ']':
        frames.pop();
        break;
      case ',':
        if (frame) frame.index++;
        break;
      default:
        if (match[2] !== ':' || !frame?.keys) break;
        frame.key = match[1]?.includes('\\') ? (JSON.parse(`"${match[1]}"`) as string) : (match[1] ?? '');
        if (frame.keys.has(frame.key)) found.add(`duplicate field ${JSON.stringify(childPath(frame))}`);
        frame.keys.add(frame.key);
    }
  }
  return [...found];
}

function childPath(frame: Frame): string {
  if (!frame.keys) return `${frame.path}[${frame.index}]`;
  return frame.path === '' ? frame.key : `${frame.path}.${frame.key}`;
}
