/**
 * The part of Go's text/template that Corefiles use: fields of the question, groups of the match, and the functions `index` and `parseInt`.
 * Anything else (`if`, `range`, variables, pipes) is refused, with its name. Pure.
 */

/** What the template may ask for. */
export interface TemplateData {
  /** `.Zone`, `.Name`, `.Class`, `.Type`, `.Remote`. */
  readonly fields: Readonly<Record<string, string>>;
  /** The whole match first. */
  readonly match: readonly string[];
  readonly group: Readonly<Record<string, string>>;
  readonly meta: (label: string) => string;
}

/** @throws TemplateError where a value is not there, or not a number */
export type Template = (data: TemplateData) => string;

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

type Value = string | number;
type Evaluate = (data: TemplateData) => Value;

/** @throws TemplateError that says what is not understood */
export function compileTemplate(text: string): Template {
  const parts: Evaluate[] = [];
  let at = 0;
  for (const action of text.matchAll(/(\s*\{\{-\s|\{\{)([^]*?)(\s-\}\}\s*|\}\})/g)) {
    const [whole, , inside = ''] = action;
    const literal = text.slice(at, action.index);
    parts.push(() => literal, compileAction(inside));
    at = action.index + whole.length;
  }
  const rest = text.slice(at);
  if (rest.includes('{{')) throw new TemplateError('an "{{" is never closed');
  return (data) => `${parts.map((part) => String(part(data))).join('')}${rest}`;
}

/** A string, a raw string, a number, a field, a name or a bracket. */
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+)|(\.[\w.]*)|([A-Za-z_]\w*)|([()])|(\S))/gy;

interface Token {
  readonly kind: 'text' | 'number' | 'field' | 'word' | 'bracket';
  readonly text: string;
}

const FUNCTIONS = ['index', 'parseInt'];
const FIELDS = ['.Zone', '.Name', '.Class', '.Type', '.Remote'];

function compileAction(inside: string): Evaluate {
  const trimmed = inside.trim();
  if (trimmed.startsWith('/*') && trimmed.endsWith('*/')) return () => '';
  const tokens = tokensOf(trimmed);
  const evaluate = compilePipeline(tokens);
  const [left] = tokens;
  if (left) throw new TemplateError(`"${left.text}" is left over in {{${inside}}}`);
  return evaluate;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const [, quoted, number, field, word, bracket, other] of text.matchAll(TOKEN)) {
    if (other !== undefined) throw new TemplateError(`"${other}" is not served by Fairway in templates`);
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unquoted(quoted) });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (field !== undefined) tokens.push({ kind: 'field', text: field });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else tokens.push({ kind: 'bracket', text: bracket ?? '' });
  }
  return tokens;
}

const unquoted = (text: string): string =>
  text.startsWith('`') ? text.slice(1, -1) : text.slice(1, -1).replaceAll(/\\(.)/g, '$1');

/** Takes the tokens it uses. */
function compilePipeline(tokens: Token[]): Evaluate {
  const first = tokens.shift();
  if (!first) throw new TemplateError('{{ }} says nothing');
  if (first.kind === 'word') return compileCall(first.text, tokens);
  if (first.kind === 'field' && first.text === '.Meta') {
    const label = compileOperand(tokens, '.Meta');
    return (data) => data.meta(String(label(data)));
  }
  tokens.unshift(first);
  return compileOperand(tokens, '');
}

function compileCall(name: string, tokens: Token[]): Evaluate {
  if (name === 'index') {
    const [of] = tokens.splice(0, 1);
    const key = compileOperand(tokens, name);
    if (of?.text === '.Match') return (data) => indexed(data.match, key(data));
    if (of?.text === '.Group') return (data) => data.group[String(key(data))] ?? '';
    throw new TemplateError('index is served of .Match and .Group only');
  }
  if (name === 'parseInt') {
    const [value, base, bits] = [1, 2, 3].map(() => compileOperand(tokens, name));
    return (data) => parsedInt(String(value?.(data) ?? ''), Number(base?.(data)), Number(bits?.(data)));
  }
  throw new TemplateError(`"${name}" is not served by Fairway in templates, there are ${FUNCTIONS.join(', ')}`);
}

function compileOperand(tokens: Token[], of: string): Evaluate {
  const token = tokens.shift();
  if (!token) throw new TemplateError(`${of} needs more behind it`);
  const { kind, text } = token;
  if (kind === 'text') return () => text;
  if (kind === 'number') return () => Number(text);
  if (kind === 'field') return fieldOf(text);
  if (text !== '(') throw new TemplateError(`"${text}" is not expected here`);
  const inner = compilePipeline(tokens);
  if (tokens.shift()?.text !== ')') throw new TemplateError('a bracket is never closed');
  return inner;
}

function fieldOf(path: string): Evaluate {
  const group = /^\.Group\.(\w+)$/.exec(path)?.[1];
  if (group !== undefined) return ({ group: groups }) => groups[group] ?? '';
  if (path === '.Question.Name') return ({ fields }) => fields['Name'] ?? '';
  if (!FIELDS.includes(path)) {
    const known = [...FIELDS, '.Group.NAME', '.Meta "LABEL"', 'index .Match N'].join(', ');
    throw new TemplateError(`"${path}" is not served by Fairway in templates, there are ${known}`);
  }
  return ({ fields }) => fields[path.slice(1)] ?? '';
}

function indexed(match: readonly string[], at: Value): string {
  const value = match[Number(at)];
  if (value === undefined) throw new TemplateError(`the match has no part ${String(at)}`);
  return value;
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** Go's strconv.ParseUint. */
function parsedInt(text: string, base: number, bits: number): number {
  const digits = [...text.toLowerCase()].map((digit) => DIGITS.indexOf(digit));
  const value = digits.reduce((sum, digit) => sum * base + digit, 0);
  if (digits.length === 0 || digits.some((digit) => digit < 0 || digit >= base) || value >= 2 ** (bits || 64)) {
    throw new TemplateError(`"${text}" is no number to base ${String(base)} of ${String(bits)} bits`);
  }
  return value;
}
