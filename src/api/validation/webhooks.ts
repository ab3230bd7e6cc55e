/** Webhooks of admission: who is asked about what, and that the answer can be understood. */
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { dns1123Subdomain } from '../names.ts';
import type { Admission } from '../types.ts';
import { oneOf, requiredOneOf, validateLabelSelector } from './check.ts';

/** With the fields that the typings leave out. */
export interface WebhookRule {
  apiGroups?: string[];
  apiVersions?: string[];
  operations?: string[];
  resources?: string[];
  scope?: string;
}
export type Webhook = Omit<Admission.ValidatingWebhook, 'rules' | 'clientConfig' | 'admissionReviewVersions'> & {
  admissionReviewVersions?: string[];
  clientConfig?: Admission.WebhookClientConfig;
  rules?: WebhookRule[];
  reinvocationPolicy?: string;
};

export function validateWebhooks(webhooks: readonly Webhook[]): FieldError[] {
  const names = new Set<string>();
  return webhooks.flatMap((webhook, index) => {
    const path = `webhooks[${index}]`;
    const errors = validateWebhook(webhook, path);
    if (names.has(webhook.name)) errors.push(duplicate(`${path}.name`, webhook.name));
    names.add(webhook.name);
    return errors;
  });
}

/** `pods.example.com`: so that a name says whose webhook it is. */
function validateName(name: string, path: string): FieldError[] {
  if (name === '') return [required(path)];
  const problems = dns1123Subdomain(name);
  if (name.split('.').length < 3) problems.push('should be a domain with at least three segments separated by dots');
  return problems.map((problem) => invalid(path, name, problem));
}

function validateWebhook(webhook: Webhook, path: string): FieldError[] {
  const { timeoutSeconds } = webhook;
  const versions = webhook.admissionReviewVersions;
  const errors = [
    ...validateName(webhook.name, `${path}.name`),
    ...(webhook.rules ?? []).flatMap((rule, index) => validateRule(rule, `${path}.rules[${index}]`)),
    ...oneOf(`${path}.failurePolicy`, webhook.failurePolicy, ['Ignore', 'Fail']),
    ...oneOf(`${path}.matchPolicy`, webhook.matchPolicy, ['Exact', 'Equivalent']),
    ...requiredOneOf(`${path}.sideEffects`, webhook.sideEffects, ['None', 'NoneOnDryRun']),
    ...oneOf(`${path}.reinvocationPolicy`, webhook.reinvocationPolicy, ['Never', 'IfNeeded']),
    ...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`),
    ...validateClientConfig(webhook.clientConfig, `${path}.clientConfig`),
  ];
  if (!versions?.length) {
    errors.push(required(`${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
  } else if (!versions.some((version) => version === 'v1' || version === 'v1beta1')) {
    errors.push(invalid(`${path}.admissionReviewVersions`, versions, 'must include at least one of v1, v1beta1'));
  }
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
    errors.push(
      invalid(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'),
    );
  }
  if ((webhook.matchConditions ?? []).length > 0) {
    // To take them and not to heed them would send the webhook what it must not see, or keep from it what it must.
    errors.push(forbidden(`${path}.matchConditions`, 'this server does not evaluate CEL expressions'));
  }
  return errors;
}

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

function validateRule(rule: WebhookRule, path: string): FieldError[] {
  const errors = oneOf(`${path}.scope`, rule.scope, ['*', 'Cluster', 'Namespaced']);
  for (const field of ['apiGroups', 'apiVersions', 'operations', 'resources'] as const) {
    const values = rule[field] ?? [];
    if (values.length === 0) errors.push(required(`${path}.${field}`));
    if (field === 'resources') continue;
    if (values.includes('*') && values.length > 1) {
      errors.push(invalid(`${path}.${field}`, values, "if '*' is present, must not specify other " + wordOf[field]));
    }
  }
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (operations.includes(operation)) continue;
    errors.push(notSupported(`${path}.operations[${index}]`, operation, operations));
  }
  return errors;
}

const wordOf = { apiGroups: 'API groups', apiVersions: 'API versions', operations: 'operations' };

function validateClientConfig({ url, service }: Admission.WebhookClientConfig = {}, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) {
    return [required(path, 'exactly one of url or service is required')];
  }
  if (service) {
    const { port = 443 } = service;
    return [
      ...(service.name ? [] : [required(`${path}.service.name`, 'service name is required')]),
      ...(service.namespace ? [] : [required(`${path}.service.namespace`, 'service namespace is required')]),
      ...(port >= 1 && port <= 65535
        ? []
        : [invalid(`${path}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive')]),
      ...(service.path === undefined || service.path.startsWith('/')
        ? []
        : [invalid(`${path}.service.path`, service.path, "must start with a '/'")]),
    ];
  }
  return validateUrl(url ?? '', `${path}.url`);
}

function validateUrl(url: string, path: string): FieldError[] {
  const wanted = '; desired format: https://host[/path]';
  if (!URL.canParse(url)) return [invalid(path, url, `url must be a valid URL${wanted}`)];
  const { protocol, host, username, hash, search } = new URL(url);
  const bad = (detail: string) => [invalid(path, url, detail)];
  return [
    ...(protocol === 'https:' ? [] : bad(`'https' is the only allowed URL scheme${wanted}`)),
    ...(host ? [] : bad(`host must be specified${wanted}`)),
    ...(username ? bad('user information is not permitted in the URL') : []),
    ...(hash ? bad('fragments are not permitted in the URL') : []),
    ...(search ? bad('query parameters are not permitted in the URL') : []),
  ];
}
