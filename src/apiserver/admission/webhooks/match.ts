/** Which webhook is asked about which write, and in which version of the kind it wants to see it. Pure. */
import { NAMESPACES, storedKind, type Kind } from '../../../api/kinds.ts';
import { matchLabelSelector, type Labels } from '../../../api/selectors.ts';
import type { Webhook, WebhookRule } from '../../../api/validation/webhooks.ts';
import type { Attributes } from '../attributes.ts';

/** Nobody could mend a webhook that refuses its own mending. */
const EXEMPT = 'admissionregistration.k8s.io';

export type Asked = Pick<Attributes, 'operation' | 'kind' | 'namespace' | 'subresource' | 'object' | 'old'> & {
  /** The version the client used. */
  readonly requested: Kind;
  /** All that are served. */
  readonly kinds: readonly Kind[];
  /** Of the namespace the object is in; undefined for cluster-scoped objects. */
  readonly namespaceLabels: Labels;
};

/** The version to show the webhook; undefined: it is not to be asked. */
export function versionFor(webhook: Webhook, asked: Asked): Kind | undefined {
  if (asked.kind.group === EXEMPT) return undefined;
  const rules = webhook.rules ?? [];
  const wants = (kind: Kind) => rules.some((rule) => matchesRule(rule, kind, asked));
  const version = wants(asked.requested)
    ? asked.requested
    : webhook.matchPolicy === 'Exact'
      ? undefined
      : equivalents(asked).find(wants);
  if (!version) return undefined;
  return inNamespace(webhook, asked) && isSelected(webhook, asked) ? version : undefined;
}

/** The same objects under other names: every other row that is kept in the same place. */
function equivalents({ requested, kinds }: Asked): Kind[] {
  const stored = storedKind(requested);
  return kinds.filter((each) => each !== requested && storedKind(each) === stored);
}

function matchesRule(rule: WebhookRule, kind: Kind, { operation, subresource = '' }: Asked): boolean {
  const has = (list: readonly string[] | undefined, value: string) =>
    (list ?? []).some((each) => each === '*' || each === value);
  const scope = kind.namespaced ? 'Namespaced' : 'Cluster';
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, kind.group) &&
    has(rule.apiVersions, kind.version) &&
    (rule.scope === undefined || rule.scope === '*' || rule.scope === scope) &&
    (rule.resources ?? []).some((each) => matchesResource(each, kind.plural, subresource))
  );
}

/** `pods`, `pods/status`, `pods/*` (the object too), `*` (no subresources), a star before the slash for every resource. */
function matchesResource(pattern: string, resource: string, subresource: string): boolean {
  const [wanted = '', under = ''] = pattern.split('/', 2);
  return (wanted === '*' || wanted === resource) && (under === '*' || under === subresource);
}

/** Cluster-scoped objects are in no namespace that could be selected; a Namespace is selected by its own labels. */
function inNamespace({ namespaceSelector }: Webhook, { kind, object, old, namespaceLabels }: Asked): boolean {
  const selector = namespaceSelector ?? {};
  if (kind === NAMESPACES) return matchLabelSelector(selector, labelsOf(object ?? old));
  return !kind.namespaced || matchLabelSelector(selector, namespaceLabels);
}

/** What an exec asks for has no metadata. */
function labelsOf(object: { metadata?: { labels?: Labels } } | undefined): Labels {
  return object?.metadata?.labels;
}

/** As it was or as it is to be: so that taking the label off does not take the webhook off. */
function isSelected({ objectSelector }: Webhook, { object, old }: Asked): boolean {
  const selector = objectSelector ?? {};
  return [object, old].some((each) => each !== undefined && matchLabelSelector(selector, labelsOf(each)));
}
