/**
 * What of which request goes into the audit log: the rules of an `audit.k8s.io/v1` Policy, of which the first that fits decides. Reads the
 * file's text, touches nothing. Pure.
 */
import { parse } from 'yaml';
import type { Attributes, ResourceAttributes } from '../authorization/attributes.ts';
import type { User } from '../request.ts';

export const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type Level = (typeof LEVELS)[number];
export const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type Stage = (typeof STAGES)[number];

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface PolicyRule {
  readonly level: Level;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly Stage[];
  readonly omitManagedFields?: boolean;
}

export interface Policy {
  readonly omitStages?: readonly Stage[];
  readonly omitManagedFields?: boolean;
  readonly rules: readonly PolicyRule[];
}

/** What is logged without a policy: who did what to what, and no content. */
export const METADATA_POLICY: Policy = { omitStages: ['RequestReceived'], rules: [{ level: 'Metadata' }] };

export interface Ruling {
  readonly level: Exclude<Level, 'None'>;
  readonly omitStages: ReadonlySet<Stage>;
  readonly omitManagedFields: boolean;
}

/** Undefined: nothing of it is logged. */
export function ruleOn(policy: Policy, user: User, asked: Attributes): Ruling | undefined {
  const rule = policy.rules.find((each) => fits(each, user, asked));
  if (!rule || rule.level === 'None') return undefined;
  return {
    level: rule.level,
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

function fits(rule: PolicyRule, { name, groups }: User, asked: Attributes): boolean {
  const { users = [], userGroups = [], verbs = [], resources = [], namespaces = [], nonResourceURLs = [] } = rule;
  if (users.length > 0 && !users.includes(name)) return false;
  if (userGroups.length > 0 && !userGroups.some((group) => groups.includes(group))) return false;
  if (verbs.length > 0 && !verbs.includes(asked.verb)) return false;
  if (resources.length > 0 || namespaces.length > 0) return asked.type === 'resource' && fitsResource(rule, asked);
  if (nonResourceURLs.length === 0) return true;
  return asked.type === 'path' && nonResourceURLs.some((url) => fitsUrl(url, asked.path));
}

/** A cluster-scoped request is in the namespace ''. */
function fitsResource({ resources = [], namespaces = [] }: PolicyRule, asked: ResourceAttributes): boolean {
  if (namespaces.length > 0 && !namespaces.includes(asked.namespace)) return false;
  if (resources.length === 0) return true;
  const { resource, subresource, name } = asked;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some(({ group = '', resources: own = [], resourceNames = [] }) => {
    if (group !== asked.group) return false;
    if (own.length === 0) return true;
    if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
    return own.some(
      (one) =>
        one === '*' ||
        one === full ||
        (subresource !== '' && (one === `*/${subresource}` || one === `${resource}/*`)) ||
        (subresource === '' && one === `${resource}/*`),
    );
  });
}

function fitsUrl(url: string, path: string): boolean {
  return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)));
}

/** From the text of a policy file. Throws an Error that says what is wrong with it. */
export function parsePolicy(text: string): Policy {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new Error(`the audit policy is no YAML: ${error instanceof Error ? error.message : ''}`, { cause: error });
  }
  const policy = (value ?? {}) as { apiVersion?: unknown; kind?: unknown; rules?: unknown; omitStages?: unknown };
  if (policy.kind !== 'Policy' || policy.apiVersion !== 'audit.k8s.io/v1') {
    throw new Error('the audit policy must be of kind Policy and apiVersion audit.k8s.io/v1');
  }
  const { rules } = policy;
  if (!Array.isArray(rules) || rules.length === 0) throw new Error('the audit policy has no rules');
  const problems = [...stageProblems('omitStages', policy.omitStages), ...rules.flatMap(ruleProblems)];
  if (problems.length > 0) throw new Error(`the audit policy is not valid: ${problems.join('; ')}`);
  return policy as unknown as Policy;
}

const fields: Readonly<Record<string, 'texts' | 'level' | 'stages' | 'resources' | 'boolean'>> = {
  level: 'level',
  users: 'texts',
  userGroups: 'texts',
  verbs: 'texts',
  resources: 'resources',
  namespaces: 'texts',
  nonResourceURLs: 'texts',
  omitStages: 'stages',
  omitManagedFields: 'boolean',
};

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

function ruleProblems(rule: unknown, index: number): string[] {
  const path = `rules[${String(index)}]`;
  if (typeof rule !== 'object' || rule === null) return [`${path}: must be an object`];
  const problems: string[] = [];
  const own = rule as Record<string, unknown>;
  if (!LEVELS.includes(own['level'] as Level)) problems.push(`${path}.level: must be one of ${LEVELS.join(', ')}`);
  for (const [field, value] of Object.entries(own)) {
    const type = fields[field];
    if (type === undefined) problems.push(`${path}.${field}: unknown field`);
    if (type === 'texts' && !isTexts(value)) problems.push(`${path}.${field}: must be a list of texts`);
    if (type === 'stages') problems.push(...stageProblems(`${path}.${field}`, value));
    if (type === 'resources') problems.push(...resourceProblems(`${path}.${field}`, value));
    if (type === 'boolean' && typeof value !== 'boolean') problems.push(`${path}.${field}: must be true or false`);
  }
  const urls = own['nonResourceURLs'];
  if (isTexts(urls)) {
    if (own['resources'] !== undefined || own['namespaces'] !== undefined) {
      problems.push(`${path}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`);
    }
    for (const url of urls) {
      if (url !== '*' && !/^\/[^*]*\*?$/.test(url)) {
        problems.push(`${path}.nonResourceURLs: ${JSON.stringify(url)} must begin with / and may end with *`);
      }
    }
  }
  return problems;
}

function stageProblems(path: string, value: unknown): string[] {
  if (value === undefined) return [];
  const good = isTexts(value) && value.every((stage) => STAGES.includes(stage as Stage));
  return good ? [] : [`${path}: must be a list of ${STAGES.join(', ')}`];
}

function resourceProblems(path: string, value: unknown): string[] {
  if (!Array.isArray(value)) return [`${path}: must be a list`];
  return value.flatMap((each: unknown, index) => {
    const at = `${path}[${String(index)}]`;
    if (typeof each !== 'object' || each === null) return [`${at}: must be an object`];
    const { group, resources = [], resourceNames = [] } = each as Record<string, unknown>;
    if (group !== undefined && typeof group !== 'string') return [`${at}.group: must be a text`];
    if (!isTexts(resources) || !isTexts(resourceNames))
      return [`${at}: resources and resourceNames are lists of texts`];
    const namesAlone = resourceNames.length > 0 && resources.length === 0;
    return namesAlone ? [`${at}.resourceNames: using resourceNames requires at least one resource`] : [];
  });
}
