/**
 * Whether what somebody holds covers what they want to give: nobody can hand out power they do not have. Wanted rules are taken apart into
 * single permissions; each must be covered by one held rule. Pure.
 */
import { ALL, type PolicyRule } from './rules.ts';

/** The single permissions of `wanted` that `held` does not cover, put together again per resource. Empty: all are. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const missing = wanted.flatMap(singles).filter((single) => !held.some((rule) => ruleCovers(rule, single)));
  return compact(missing);
}

/** One verb, one group and resource (and name), or one verb and URL each. */
function singles(rule: PolicyRule): PolicyRule[] {
  const { apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [], verbs = [] } = rule;
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  const onResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) =>
        names.map((name) => ({
          apiGroups: [group],
          resources: [resource],
          verbs: [verb],
          ...(name !== undefined && { resourceNames: [name] }),
        })),
      ),
    ),
  );
  const onUrls = nonResourceURLs.flatMap((url) => verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] })));
  return [...onResources, ...onUrls];
}

function ruleCovers(rule: PolicyRule, single: PolicyRule): boolean {
  const { resourceNames = [] } = rule;
  const [name] = single.resourceNames ?? [];
  return (
    covers(rule.verbs, single.verbs) &&
    covers(rule.apiGroups, single.apiGroups) &&
    covers(rule.resources, single.resources, resourceCovers) &&
    covers(rule.nonResourceURLs, single.nonResourceURLs, urlCovers) &&
    (resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name)))
  );
}

type Texts = readonly string[] | undefined;

function covers(held: Texts, wanted: Texts, also: (one: string, text: string) => boolean = () => false): boolean {
  return (wanted ?? []).every((text) => held?.some((one) => one === ALL || one === text || also(one, text)) ?? false);
}

const resourceCovers = (one: string, text: string): boolean =>
  one.startsWith('*/') && text.includes('/') && one.slice(1) === text.slice(text.indexOf('/'));

const urlCovers = (one: string, text: string): boolean => one.endsWith(ALL) && text.startsWith(one.slice(0, -1));

/** Rules that differ only by verb become one: what people read, and what is added to a role. */
export function compact(rules: readonly PolicyRule[]): PolicyRule[] {
  const byPlace = new Map<string, PolicyRule & { verbs: string[] }>();
  for (const rule of rules) {
    const { verbs = [], ...place } = rule;
    const key = JSON.stringify([place.apiGroups, place.resources, place.resourceNames, place.nonResourceURLs]);
    const present = byPlace.get(key);
    if (present) present.verbs.push(...verbs.filter((verb) => !present.verbs.includes(verb)));
    else byPlace.set(key, { ...place, verbs: [...verbs] });
  }
  return [...byPlace.values()];
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`: how a refusal names a rule. */
export function describeRule(rule: PolicyRule): string {
  const parts: [string, Texts][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  const told = parts.flatMap(([title, texts]) => (texts?.length ? [`${title}:${quoteList(texts)}`] : []));
  return `{${told.join(', ')}}`;
}

/** As Go prints a list of quoted texts. */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;
}
