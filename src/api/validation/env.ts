/** Environment variables of containers. */
import { invalid, notSupported, required, type FieldError } from '../field-error.ts';
import { envVarName } from '../names.ts';
import type { Core } from '../types.ts';
import { mustExist, mustFollow } from './check.ts';

const fieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

export function validateEnv(container: Core.Container, path: string): FieldError[] {
  return [
    ...(container.env ?? []).flatMap((variable, index) => validateVariable(variable, `${path}.env[${index}]`)),
    ...(container.envFrom ?? []).flatMap((source, index) => validateEnvFrom(source, `${path}.envFrom[${index}]`)),
  ];
}

function validateVariable({ name, value, valueFrom }: Core.EnvVar, path: string): FieldError[] {
  const errors = mustFollow(envVarName, `${path}.name`, name);
  if (!valueFrom) return errors;
  const at = `${path}.valueFrom`;
  if (value) return [...errors, invalid(at, '', 'may not be specified when `value` is not empty')];
  const sources = Object.keys(valueFrom);
  if (sources.length === 0) {
    const choices =
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `fileKeyRef` or `secretKeyRef`';
    errors.push(invalid(at, '', choices));
  }
  if (sources.length > 1) errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  const { fieldRef, configMapKeyRef, secretKeyRef, resourceFieldRef } = valueFrom;
  if (fieldRef) errors.push(...validateFieldRef(fieldRef.fieldPath, `${at}.fieldRef`));
  if (resourceFieldRef) errors.push(...mustExist(`${at}.resourceFieldRef.resource`, resourceFieldRef.resource));
  for (const [field, reference] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!reference) continue;
    errors.push(...mustExist(`${at}.${field}.name`, reference.name), ...mustExist(`${at}.${field}.key`, reference.key));
  }
  return errors;
}

function validateFieldRef(fieldPath: string | undefined, path: string): FieldError[] {
  if (!fieldPath) return [required(`${path}.fieldPath`)];
  if (/^metadata\.(annotations|labels)\['[^']+'\]$/.test(fieldPath) || fieldPaths.includes(fieldPath)) return [];
  return [notSupported(`${path}.fieldPath`, fieldPath, fieldPaths)];
}

function validateEnvFrom({ configMapRef, secretRef, prefix }: Core.EnvFromSource, path: string): FieldError[] {
  const errors = prefix ? mustFollow(envVarName, `${path}.prefix`, prefix) : [];
  if (!configMapRef && !secretRef) errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
  if (configMapRef && secretRef) errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
  if (configMapRef) errors.push(...mustExist(`${path}.configMapRef.name`, configMapRef.name));
  if (secretRef) errors.push(...mustExist(`${path}.secretRef.name`, secretRef.name));
  return errors;
}
