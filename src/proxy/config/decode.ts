/** YAML or JSON text -> the fields it tells, and everything that is wrong with them (3-152). */
import { parseDocument } from 'yaml';
import { API_VERSION, KIND, SHAPE, type ConfigProblem, type Shape, type Told } from './configuration.ts';
import { decodeScalar, SCALAR_WORDS } from './scalar.ts';

export interface Decoded {
  readonly told: Told;
  readonly problems: readonly ConfigProblem[];
}

/** Strict, then lenient: a field nobody knows is named and left out, and all others count. Never throws. */
export function decodeConfiguration(text: string): Decoded {
  const problems: ConfigProblem[] = [];
  const document = parseDocument(text, { uniqueKeys: false, logLevel: 'error' });
  const broken = document.errors[0];
  if (broken) return failed(`this is no YAML: ${broken.message.split(/:?\n/)[0] ?? ''}`);
  for (const error of parseDocument(text, { logLevel: 'error' }).errors) {
    const line = (error.linePos?.[0].line ?? 0).toString();
    problems.push({ field: '', problem: `line ${line}: a field is there twice; the last one counts`, fatal: false });
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // an alias of nothing, or aliases of aliases that would fill the memory
    return failed(`this is no YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { apiVersion, kind, ...fields } = asFields(value) ?? {};
  if (apiVersion !== API_VERSION || kind !== KIND) {
    return failed(`this is no ${KIND}: apiVersion must be ${API_VERSION} and kind ${KIND}`);
  }
  return { told: decodeFields(fields, SHAPE, '', problems), problems };
}

const failed = (problem: string): Decoded => ({ told: {}, problems: [{ field: '', problem, fatal: true }] });

type Fields = Readonly<Record<string, unknown>>;

function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function decodeFields(
  fields: Fields,
  shapes: Readonly<Record<string, Shape>>,
  path: string,
  problems: ConfigProblem[],
): Told {
  const told: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = path === '' ? name : `${path}.${name}`;
    const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    if (shape === undefined)
      problems.push({ field, problem: `unknown field, ignored${guess(name, shapes)}`, fatal: false });
    else if (value === null || value === undefined) continue;
    else {
      const decoded = decodeValue(value, shape, field, problems);
      if (decoded !== undefined) told[name] = decoded;
    }
  }
  return told;
}

/** Names are told apart by upper and lower case, and people do not see that. */
function guess(name: string, shapes: Readonly<Record<string, Shape>>): string {
  const near = Object.keys(shapes).find((one) => one.toLowerCase() === name.toLowerCase());
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

function decodeValue(value: unknown, shape: Shape, field: string, problems: ConfigProblem[]): unknown {
  const wrong = (what: string) => {
    problems.push({ field, problem: `must be ${what}`, fatal: true });
    return undefined;
  };
  if (shape === 'anything') return value;
  if (shape === 'strings') {
    if (!Array.isArray(value)) return wrong('a list of texts');
    return value.every((one) => typeof one === 'string') ? value : wrong('a list of texts');
  }
  if (shape === 'switches' || typeof shape === 'object') {
    const fields = asFields(value);
    if (!fields) return wrong('a map');
    if (typeof shape === 'object') return decodeFields(fields, shape, field, problems);
    return Object.values(fields).every((one) => typeof one === 'boolean') ? fields : wrong('a map of true and false');
  }
  return decodeScalar(value, shape) ?? wrong(SCALAR_WORDS[shape]);
}
