/** Label and field selectors: the text of `-l` and `--field-selector`, and metav1.LabelSelector (features 8-057, 8-058). */
import { badRequest } from './api-error.ts';
import { labelValue, qualifiedName } from './names.ts';
import type { Meta } from './types.ts';

export type Labels = Readonly<Record<string, string>> | undefined;

export type Requirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' }
  | { readonly key: string; readonly operator: 'Gt' | 'Lt'; readonly values: readonly [string] };

/** Requirements that must all hold; none at all matches everything. */
export interface LabelSelector {
  readonly requirements: readonly Requirement[];
  matches(labels: Labels): boolean;
}

const own = (labels: Labels, key: string): string | undefined =>
  labels && Object.hasOwn(labels, key) ? labels[key] : undefined;

/** NotIn holds for an object without the label, as in Kubernetes. Gt and Lt compare integers and need the label. */
export function matchesRequirement(requirement: Requirement, labels: Labels): boolean {
  const value = own(labels, requirement.key);
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const [left, right] = [BigInt(value), BigInt(requirement.values[0])];
      return requirement.operator === 'Gt' ? left > right : left < right;
    }
  }
}

export function labelSelectorOf(requirements: readonly Requirement[]): LabelSelector {
  return {
    requirements,
    matches: (labels) => requirements.every((requirement) => matchesRequirement(requirement, labels)),
  };
}

export const everything: LabelSelector = labelSelectorOf([]);

/** @throws ApiError 400 with Kubernetes' words when the text is not a selector. '' matches everything. */
export function parseLabelSelector(text: string): LabelSelector {
  return text.trim() === '' ? everything : labelSelectorOf(new LabelParser(text).parse());
}

/** The map form (Service and ReplicationController `spec.selector`): every pair must be there. An empty or absent map matches nothing (2-001). */
export function matchLabelMap(selector: Labels, labels: Labels): boolean {
  const pairs = Object.entries(selector ?? {});
  return pairs.length > 0 && pairs.every(([key, value]) => own(labels, key) === value);
}

/** metav1.LabelSelector: absent matches nothing, empty matches everything. Unknown operators match nothing. */
export function matchLabelSelector(selector: Meta.LabelSelector | undefined, labels: Labels): boolean {
  return selector !== undefined && requirementsOf(selector).every((each) => each && matchesRequirement(each, labels));
}

/** The same as text, for `status.selector` of a Scale: `app=web,tier in (a,b)`. */
export function formatLabelSelector(selector: Meta.LabelSelector | undefined): string {
  if (!selector) return '';
  return requirementsOf(selector)
    .filter((each) => each !== undefined)
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(formatRequirement)
    .join(',');
}

function formatRequirement(requirement: Requirement): string {
  const { key, operator } = requirement;
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    case 'Gt':
      return `${key}>${requirement.values[0]}`;
    case 'Lt':
      return `${key}<${requirement.values[0]}`;
    case 'In':
      // A single value is how matchLabels arrives here, and Kubernetes writes it with '='.
      return requirement.values.length === 1
        ? `${key}=${requirement.values[0] ?? ''}`
        : `${key} in (${[...requirement.values].sort().join(',')})`;
    case 'NotIn':
      return `${key} notin (${[...requirement.values].sort().join(',')})`;
  }
}

function requirementsOf(selector: Meta.LabelSelector): (Requirement | undefined)[] {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]): Requirement => ({
    key,
    operator: 'In',
    values: [value],
  }));
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }): Requirement | undefined => {
    if (operator === 'In' || operator === 'NotIn') return { key, operator, values: values ?? [] };
    if (operator === 'Exists' || operator === 'DoesNotExist') return { key, operator };
    return undefined;
  });
  return [...equal, ...expressions];
}

/** `app=web` pairs of a label map, sorted by key: table cells and `status.selector` of a ReplicationController. */
export function formatLabels(labels: Labels): string {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

const tokenPattern = /\s*(?:(!=|==|=|!|,|\(|\)|>|<)|([^\s=!,()<>]+))/y;
const operatorNames = 'in, notin, =, ==, !=, gt, lt';

/** Recursive descent over the tokens; the words of the errors are those of Kubernetes. */
class LabelParser {
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    tokenPattern.lastIndex = 0;
    for (;;) {
      const from = tokenPattern.lastIndex;
      const match = tokenPattern.exec(text);
      if (!match) {
        if (text.slice(from).trim() !== '')
          throw this.#fail(`found '${text.slice(from).trim()}', expected: identifier`);
        break;
      }
      this.#tokens.push(match[1] ?? match[2] ?? '');
    }
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token === undefined) return requirements;
      if (token !== '!' && !isIdentifier(token)) {
        throw badRequest(`found '${token}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#next();
      if (next === undefined) return requirements;
      if (next !== ',') throw badRequest(`found '${next}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after !== '!' && !isIdentifier(after))
        throw badRequest(`found '${after ?? ''}', expected: identifier after ','`);
    }
  }

  #requirement(): Requirement {
    const negated = this.#peek() === '!';
    if (negated) this.#next();
    const key = this.#next();
    if (key === undefined || !isIdentifier(key)) throw this.#fail(`found '${key ?? ''}', expected: identifier`);
    const problems = qualifiedName(key);
    if (problems.length > 0) throw this.#fail(`key: Invalid value: ${JSON.stringify(key)}: ${problems.join('; ')}`);
    if (negated) return { key, operator: 'DoesNotExist' };
    const peeked = this.#peek();
    if (peeked === undefined || peeked === ',') return { key, operator: 'Exists' };
    return this.#comparison(key, this.#next() ?? '');
  }

  #comparison(key: string, operator: string): Requirement {
    switch (operator) {
      case 'in':
        return { key, operator: 'In', values: this.#check(key, this.#set()) };
      case 'notin':
        return { key, operator: 'NotIn', values: this.#check(key, this.#set()) };
      case '=':
      case '==':
        return { key, operator: 'In', values: this.#check(key, [this.#value()]) };
      case '!=':
        return { key, operator: 'NotIn', values: this.#check(key, [this.#value()]) };
      case '>':
      case '<': {
        const value = this.#value();
        if (!/^[+-]?\d+$/.test(value)) {
          throw this.#fail(
            `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
          );
        }
        return { key, operator: operator === '>' ? 'Gt' : 'Lt', values: [value] };
      }
      default:
        throw this.#fail(`found '${operator}', expected: ${operatorNames}`);
    }
  }

  /** The value after `=`: nothing at all is the empty value. */
  #value(): string {
    const token = this.#peek();
    if (token === undefined || token === ',') return '';
    if (!isIdentifier(token)) throw this.#fail(`found '${token}', expected: identifier`);
    this.#next();
    return token;
  }

  #set(): string[] {
    const open = this.#next();
    if (open !== '(') throw this.#fail(`found '${open ?? ''}' expected: '('`);
    const values: string[] = [];
    let wantsValue = true;
    for (;;) {
      const token = this.#next();
      if (token === ')') {
        if (wantsValue) values.push('');
        return values;
      }
      if (token === ',') {
        if (wantsValue) values.push('');
        wantsValue = true;
      } else if (token !== undefined && isIdentifier(token) && wantsValue) {
        values.push(token);
        wantsValue = false;
      } else {
        throw this.#fail(`found '${token ?? ''}', expected: ',', ')' or identifier`);
      }
    }
  }

  #check(key: string, values: string[]): string[] {
    for (const [index, value] of values.entries()) {
      const problems = labelValue(value);
      if (problems.length > 0) {
        throw this.#fail(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${problems.join('; ')}`);
      }
    }
    return values;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }
  #next(): string | undefined {
    return this.#tokens[this.#at++];
  }
  #fail(message: string) {
    return badRequest(`unable to parse requirement: ${message}`);
  }
}

const isIdentifier = (token: string | undefined): boolean => token !== undefined && !/^[=!,()<>]/.test(token);

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  /** `fields` as `selectableFieldsOf` gives them; an absent one counts as ''. */
  matches(fields: Readonly<Record<string, string>>): boolean;
}

/**
 * `a=b,c!=d` with `\` escaping `,`, `=` and `\`. `supported` are the fields the kind declares; without it any name passes.
 * @throws ApiError 400 for text that is no selector, or a field that is not supported (feature 1-010).
 */
export function parseFieldSelector(text: string, supported?: readonly string[]): FieldSelector {
  const requirements = splitUnescaped(text, ',')
    .filter((term) => term !== '')
    .map((term) => parseFieldTerm(term, text));
  for (const { field } of requirements) {
    if (supported && !supported.includes(field)) {
      throw badRequest(
        supported.length <= 2
          ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
          : `field label not supported: ${field}`,
      );
    }
  }
  return {
    requirements,
    matches: (fields) =>
      requirements.every(({ field, operator, value }) => ((fields[field] ?? '') === value) === (operator === '=')),
  };
}

function parseFieldTerm(term: string, whole: string): FieldRequirement {
  for (let index = 0; index < term.length; index++) {
    if (term[index] === '\\') index++;
    else {
      const operator = ['!=', '==', '='].find((each) => term.startsWith(each, index));
      if (operator) {
        return {
          field: term.slice(0, index),
          operator: operator === '!=' ? '!=' : '=',
          value: unescapeValue(term.slice(index + operator.length)),
        };
      }
    }
  }
  throw badRequest(`invalid selector: '${whole}'; can't understand '${term}'`);
}

function unescapeValue(value: string): string {
  if (!/[\\,=]/.test(value)) return value;
  if (/^(?:[^\\,=]|\\[\\,=])*$/.test(value)) return value.replace(/\\(.)/g, '$1');
  throw badRequest(
    `invalid field selector: invalid escape sequence or unescaped character in ${JSON.stringify(value)}`,
  );
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts = [''];
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? '';
    if (character === '\\') parts[parts.length - 1] += character + (text[++index] ?? '');
    else if (character === separator) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}
