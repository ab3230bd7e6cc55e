/** A Pod's spec, in Pods and in templates. */
import { parseIp } from '../../lib/ip.ts';
import { invalid, notSupported, type FieldError } from '../field-error.ts';
import { validateLabels } from '../meta.ts';
import { dns1123Subdomain, qualifiedName } from '../names.ts';
import type { Core } from '../types.ts';
import { follows, notNegative, requiredOneOf } from './check.ts';
import { validateContainers } from './containers.ts';
import { validateDns, validateNames } from './pod-dns.ts';
import { validateVolumes } from './volumes.ts';

const maxDeadline = 2 ** 31 - 1;

export function validatePodSpec(spec: Core.PodSpec, path: string): FieldError[] {
  return [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, path),
    ...requiredOneOf(`${path}.restartPolicy`, spec.restartPolicy, ['Always', 'Never', 'OnFailure']),
    ...validateDns(spec, path),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...follows(dns1123Subdomain, `${path}.serviceAccountName`, spec.serviceAccountName),
    ...follows(dns1123Subdomain, `${path}.nodeName`, spec.nodeName),
    ...validateNames(spec, path),
    ...validateDeadlines(spec, path),
    ...validateHostAliases(spec.hostAliases ?? [], `${path}.hostAliases`),
    ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, index) =>
      qualifiedName(conditionType).map((problem) =>
        invalid(`${path}.readinessGates[${index}].conditionType`, conditionType, problem),
      ),
    ),
  ];
}

function validateDeadlines(spec: Core.PodSpec, path: string): FieldError[] {
  const errors = notNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxDeadline)) {
    const why = `must be between 1 and ${maxDeadline}, inclusive`;
    errors.push(invalid(`${path}.activeDeadlineSeconds`, deadline, why));
  }
  return errors;
}

function validateHostAliases(aliases: readonly Core.HostAlias[], path: string): FieldError[] {
  return aliases.flatMap(({ ip, hostnames }, index) => [
    ...(parseIp((ip as string | undefined) ?? '')
      ? []
      : [invalid(`${path}[${index}].ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]),
    ...(hostnames ?? []).flatMap((name) => follows(dns1123Subdomain, `${path}[${index}].hostnames`, name)),
  ]);
}

function validateTolerations(tolerations: readonly Core.Toleration[], path: string): FieldError[] {
  return tolerations.flatMap(({ key, operator, value, effect, tolerationSeconds }, index) => {
    const at = `${path}[${index}]`;
    const errors = key ? follows(qualifiedName, `${at}.key`, key) : [];
    if (!key && operator !== 'Exists') {
      const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalid(`${at}.operator`, operator ?? '', why));
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.push(invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === 'Exists' && value) {
      errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else if (operator && operator !== 'Exists' && operator !== 'Equal') {
      errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']));
    }
    const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];
    if (effect && !effects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, effects));
    return errors;
  });
}
