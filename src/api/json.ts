/** Request bodies as text: JSON with its duplicate fields named, and YAML, which kubectl may send too (feature 8-015, 8-017). */
import { parseDocument, type YAMLError } from 'yaml';
import { badRequest } from './api-error.ts';

export interface ParsedBody {
  readonly value: unknown;
  /** `duplicate field "spec.ports[0].port"`, each once, in the order of the text; for YAML one text that names the lines. */
  readonly duplicateFields: string[];
  /** The JSON it was parsed from, to tell what comes first. */
  readonly text?: string;
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
  return { value, duplicateFields: findDuplicateFields(text), text };
}

/**
 * Of a field given twice the last counts, and a line says so.
 * @throws ApiError 400 when the text is not one YAML document.
 */
export function parseYaml(text: string, refusal = 'error converting YAML to JSON'): ParsedBody {
  const document = parseDocument(text, { schema: 'core', merge: true });
  const twice = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const error = document.errors.find((each) => !twice.includes(each));
  if (error) throw badRequest(`${refusal}: yaml: ${error.message.split('\n')[0] ?? ''}`);
  try {
    const value = document.toJS({ maxAliasCount: 100 }) as unknown;
    return { value, duplicateFields: twice.length === 0 ? [] : [describeTwice(text, twice)] };
  } catch (cause) {
    throw badRequest(`${refusal}: yaml: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function describeTwice(text: string, errors: readonly YAMLError[]): string {
  const lines = errors.map(({ pos, linePos }) => {
    const [key = ''] = /^[^:\n]*/.exec(text.slice(pos[0])) ?? [];
    return `\n  line ${String(linePos?.[0].line ?? 0)}: key ${JSON.stringify(key.trim().replace(/^["']|["']$/g, ''))} already set in map`;
  });
  return `yaml: unmarshal errors:${lines.join('')}`;
}

interface Frame {
  /** The keys seen so far; absent for a list. */
  readonly keys?: Set<string>;
  /** Where the frame itself is: `spec.ports`. */
  readonly path: string;
  index: number;
  key: string;
}

export function findDuplicateFields(text: string): string[] {
  const found = new Set<string>();
  walkKeys(text, (frame, _place, again) => {
    if (again) found.add(`duplicate field ${JSON.stringify(childPath(frame))}`);
  });
  return [...found];
}

/** Unknown and duplicate fields of one text in the order a reader meets them, as servers name them. Duplicates are met where they come again. */
export function inTextOrder(text: string, problems: readonly string[]): string[] {
  const places = new Map<string, number>();
  walkKeys(text, (frame, place, again) => {
    const problem = `${again ? 'duplicate' : 'unknown'} field ${JSON.stringify(childPath(frame))}`;
    if (!places.has(problem)) places.set(problem, place);
  });
  return [...problems].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
}

/**
 * Walks text that is known to be valid JSON and calls for every key, with its frame and its place in the text. Only strings, brackets, commas
 * and colons matter: a string before a colon is a key.
 */
function walkKeys(text: string, onKey: (frame: Frame, place: number, again: boolean) => void): void {
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
        onKey(frame, match.index, frame.keys.has(frame.key));
        frame.keys.add(frame.key);
    }
  }
}

function childPath(frame: Frame): string {
  if (!frame.keys) return `${frame.path}[${frame.index}]`;
  return frame.path === '' ? frame.key : `${frame.path}.${frame.key}`;
}
