/** One rule of a role against one question. Pure, and called often: no allocation. */
import type { Rbac } from '../../api/types.ts';
import type { Attributes, ResourceAttributes } from './attributes.ts';

/** Stored JSON may lack any list of it. */
export type PolicyRule = Readonly<Partial<Rbac.PolicyRule>>;

export const ALL = '*';

export function ruleAllows(rule: PolicyRule, asked: Attributes): boolean {
  if (!lists(rule.verbs, asked.verb)) return false;
  if (asked.type === 'path') return rule.nonResourceURLs?.some((url) => urlMatches(url, asked.path)) ?? false;
  return lists(rule.apiGroups, asked.group) && resourceMatches(rule.resources, asked) && nameMatches(rule, asked.name);
}

export function rulesAllow(rules: readonly PolicyRule[] | undefined, asked: Attributes): boolean {
  return rules?.some((rule) => ruleAllows(rule, asked)) ?? false;
}

function lists(texts: readonly string[] | undefined, text: string): boolean {
  return texts !== undefined && (texts.includes(text) || texts.includes(ALL));
}

// `pods/log`, `*` for every resource with all its subresources, and `*/scale` for one subresource of all.
function resourceMatches(
  resources: readonly string[] | undefined,
  { resource, subresource }: ResourceAttributes,
): boolean {
  if (!resources) return false;
  for (const one of resources) {
    if (one === ALL) return true;
    if (subresource === '') {
      if (one === resource) return true;
      continue;
    }
    const slash = one.length - subresource.length - 1;
    if (slash < 1 || one[slash] !== '/' || !one.endsWith(subresource)) continue;
    if ((slash === 1 && one[0] === ALL) || (slash === resource.length && one.startsWith(resource))) return true;
  }
  return false;
}

/** A rule with names allows nothing that has none: no list, and no create, as the name is in the body. */
function nameMatches({ resourceNames }: PolicyRule, name: string): boolean {
  return resourceNames === undefined || resourceNames.length === 0 || resourceNames.includes(name);
}

/** `/healthz`, `/apis/*`, `*`: an asterisk counts only at the end. */
export function urlMatches(url: string, path: string): boolean {
  if (url === path || url === ALL) return true;
  return url.endsWith(ALL) && path.startsWith(url.replace(/\*+$/, ''));
}
