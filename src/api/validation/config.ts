/** ConfigMaps and Secrets: keys that can be file names, sizes, and what `immutable` freezes. */
import { semanticEqual } from '../deep-equal.ts';
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { configMapKey } from '../names.ts';
import type { ConfigMap, Secret } from '../types.ts';

const maxBytes = 1024 * 1024;

type Data = Readonly<Record<string, string>> | undefined;

const validateKeys = (data: Data, path: string): FieldError[] =>
  Object.keys(data ?? {}).flatMap((key) =>
    configMapKey(key).map((problem) => invalid(`${path}[${key}]`, key, problem)),
  );

const base64Bytes = (text: string): number => Buffer.byteLength(text, 'base64');

function validateSize(bytes: number, field: string): FieldError[] {
  return bytes > maxBytes ? [{ type: 'TooLong', field, detail: `may not be more than ${maxBytes} bytes` }] : [];
}

export function validateConfigMap({ data, binaryData }: ConfigMap): FieldError[] {
  const errors = [...validateKeys(data, 'data'), ...validateKeys(binaryData, 'binaryData')];
  for (const key of Object.keys(data ?? {})) {
    if (binaryData && Object.hasOwn(binaryData, key)) {
      errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    }
  }
  const plain = Object.values(data ?? {}).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  const binary = Object.values(binaryData ?? {}).reduce((sum, value) => sum + base64Bytes(value), 0);
  return [...errors, ...validateSize(plain + binary, '')];
}

type Freezable = { immutable?: boolean } & Partial<Record<'data' | 'binaryData', Data>>;

/** Once immutable, always immutable, and so is the data. */
function validateFrozen(object: Freezable, old: Freezable): FieldError[] {
  if (!old.immutable) return [];
  const why = 'field is immutable when `immutable` is set';
  return [
    ...(object.immutable ? [] : [forbidden('immutable', why)]),
    ...(['data', 'binaryData'] as const)
      .filter((field) => !semanticEqual(object[field], old[field]))
      .map((field) => forbidden(field, why)),
  ];
}

export const validateConfigMapUpdate = (configMap: ConfigMap, old: ConfigMap): FieldError[] => [
  ...validateFrozen(configMap as Freezable, old as Freezable),
  ...validateConfigMap(configMap),
];

/** The keys a typed Secret must have. */
const requiredKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
]);
const serviceAccountName = 'kubernetes.io/service-account.name';

export function validateSecret({ data, type, metadata }: Secret): FieldError[] {
  const errors = validateKeys(data, 'data');
  const bytes = Object.values(data ?? {}).reduce((sum, value) => sum + base64Bytes(value), 0);
  errors.push(...validateSize(bytes, 'data'));
  for (const key of requiredKeys.get(type ?? '') ?? []) {
    if (!data || !Object.hasOwn(data, key)) errors.push(required(`data[${key}]`));
    else if (key.startsWith('.docker')) errors.push(...validateDockerConfig(key, data[key] ?? ''));
  }
  if (type === 'kubernetes.io/basic-auth' && !data?.['username'] && !data?.['password']) {
    errors.push(required('data[username]'), required('data[password]'));
  }
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[serviceAccountName]) {
    errors.push(required(`metadata.annotations[${serviceAccountName}]`));
  }
  return errors;
}

/** The value itself is secret, so it never goes into the message. */
function validateDockerConfig(key: string, value: string): FieldError[] {
  try {
    JSON.parse(Buffer.from(value, 'base64').toString());
    return [];
  } catch {
    return [invalid(`data[${key}]`, '<secret contents redacted>', 'invalid JSON')];
  }
}

export const validateSecretUpdate = (secret: Secret, old: Secret): FieldError[] => [
  ...(secret.type === old.type ? [] : [invalid('type', secret.type, 'field is immutable')]),
  ...validateFrozen(secret as Freezable, old as Freezable),
  ...validateSecret(secret),
];
