/** Request bodies as JSON, with their duplicate fields named (feature 8-015, 8-017). YAML is in `yaml.ts`. */
import { badRequest } from './api-error.ts';

export interface ParsedBody {
  readonly value: unknown;
  /** `duplicate field "spec.ports[0].port"`, each once, in the order of the text; for YAML one text that names the lines. */
  readonly duplicateFields: string[];
  /** The JSON it was parsed from, to tell what comes first. */
  readonly text?: string;
}

/** Deeper nesting than any real object; the limit keeps a hostile body from exhausting the stack. */
export const MAX_DEPTH = 500;
/** Unknown and duplicate fields that are told of: a body can have a hundred thousand. */
export const MAX_NAMED = 100;

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
    if (again && found.size < MAX_NAMED) found.add(`duplicate field ${JSON.stringify(childPath(frame))}`);
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
        if (frames.length >= MAX_DEPTH) throw badRequest('json: exceeded max depth');
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
