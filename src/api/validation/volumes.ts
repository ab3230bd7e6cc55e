/** spec.volumes of a Pod. */
import { duplicate, forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { configMapKey, dns1123Label } from '../names.ts';
import type { Core } from '../types.ts';
import { mustExist, mustFollow, oneOf } from './check.ts';

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

export function validateVolumes(volumes: readonly Core.Volume[], path: string): FieldError[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const at = `${path}[${index}]`;
    const errors = [...validateSource(volume, at), ...mustFollow(dns1123Label, `${at}.name`, volume.name)];
    if (names.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    return errors;
  });
}

function validateSource(volume: Core.Volume, at: string): FieldError[] {
  const sources = Object.keys(volume).filter((field) => field !== 'name');
  if (sources.length === 0) return [required(at, 'must specify a volume type')];
  const errors = sources.slice(1).map((each) => forbidden(`${at}.${each}`, 'may not specify more than 1 volume type'));
  const { hostPath, secret, configMap, persistentVolumeClaim, downwardAPI, projected } = volume;
  if (hostPath) {
    errors.push(...mustExist(`${at}.hostPath.path`, hostPath.path));
    if (hostPath.path.split('/').includes('..')) {
      errors.push(invalid(`${at}.hostPath.path`, hostPath.path, "must not contain '..'"));
    }
    errors.push(...oneOf(`${at}.hostPath.type`, hostPath.type, hostPathTypes));
  }
  if (secret) {
    errors.push(...mustExist(`${at}.secret.secretName`, secret.secretName));
    errors.push(...validateMode(secret.defaultMode, `${at}.secret.defaultMode`));
    errors.push(...validateItems(secret.items, `${at}.secret.items`));
  }
  if (configMap) {
    errors.push(...mustExist(`${at}.configMap.name`, configMap.name));
    errors.push(...validateMode(configMap.defaultMode, `${at}.configMap.defaultMode`));
    errors.push(...validateItems(configMap.items, `${at}.configMap.items`));
  }
  if (persistentVolumeClaim) {
    errors.push(...mustExist(`${at}.persistentVolumeClaim.claimName`, persistentVolumeClaim.claimName));
  }
  for (const [index, { path }] of (downwardAPI?.items ?? []).entries()) {
    errors.push(...validateRelativePath(path, `${at}.downwardAPI.items[${index}].path`));
  }
  if (projected) errors.push(...validateProjected(projected, `${at}.projected`));
  return errors;
}

function validateProjected({ sources, defaultMode }: Core.ProjectedVolumeSource, at: string): FieldError[] {
  const errors = validateMode(defaultMode, `${at}.defaultMode`);
  for (const [index, source] of (sources ?? []).entries()) {
    const path = `${at}.sources[${index}]`;
    const kinds = Object.keys(source);
    if (kinds.length === 0)
      errors.push(required(path, 'must specify one of secret, configMap, downwardAPI, serviceAccountToken'));
    if (kinds.length > 1) errors.push(forbidden(path, 'may not specify more than 1 volume type'));
    if (source.secret) errors.push(...mustExist(`${path}.secret.name`, source.secret.name));
    if (source.configMap) errors.push(...mustExist(`${path}.configMap.name`, source.configMap.name));
    const token = source.serviceAccountToken;
    if (token) {
      const seconds = token.expirationSeconds ?? 0;
      const field = `${path}.serviceAccountToken.expirationSeconds`;
      if (seconds < 600) errors.push(invalid(field, seconds, 'may not specify a duration less than 10 minutes'));
      errors.push(...validateRelativePath(token.path, `${path}.serviceAccountToken.path`));
    }
  }
  return errors;
}

function validateItems(items: readonly Core.KeyToPath[] | undefined, at: string): FieldError[] {
  return (items ?? []).flatMap(({ key, path, mode }, index) => [
    ...mustFollow(configMapKey, `${at}[${index}].key`, key),
    ...validateRelativePath(path, `${at}[${index}].path`),
    ...validateMode(mode, `${at}[${index}].mode`),
  ]);
}

/** A file inside a volume must stay inside it. */
export function validateRelativePath(path: string | undefined, at: string): FieldError[] {
  if (!path) return [required(at)];
  if (path.startsWith('/')) return [invalid(at, path, 'must be a relative path')];
  if (path.split('/').includes('..')) return [invalid(at, path, "must not contain '..'")];
  return path.startsWith('..') ? [invalid(at, path, "must not start with '..'")] : [];
}

const validateMode = (mode: number | undefined, at: string): FieldError[] =>
  mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalid(at, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];
