/** A container's environment variables: Services (7-044..7-050), then envFrom, then env, each able to use the ones before it. */
import type { Core, Pod, Service } from '../api/types.ts';
import { joinHostPort } from '../lib/ip.ts';
import { fieldValue, resourceValue } from './downward.ts';
import type { EnvironmentContext, ExpandVariables, MakeEnvironment } from './parts.ts';
import { ContainerConfigError } from './parts.ts';

/** `$(NAME)` becomes the value, `$$` is a plain `$` (so `$$(NAME)` stays `$(NAME)`), an unknown name stays as it is. */
export const expandVariables: ExpandVariables = (text, variables) =>
  text.replace(/\$(\$|\(([^)]*)\))/g, (whole: string, after: string, name: string | undefined) =>
    after === '$' ? '$' : (variables.get(name ?? '') ?? whole),
  );

export const makeEnvironment: MakeEnvironment = async (pod, container, context) => {
  const variables = new Map<string, string>();
  const namespace = pod.metadata.namespace ?? 'default';
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of Object.entries(await sourceData(source, namespace, context))) {
      if (isEnvName((source.prefix ?? '') + key)) variables.set((source.prefix ?? '') + key, value);
    }
  }
  const services = serviceVariables(namespace, pod.spec.enableServiceLinks !== false, context.services);
  const known = new Map([...services, ...variables]);
  for (const entry of container.env ?? []) {
    const value = await entryValue(pod, container, entry, known, context);
    if (value === undefined) continue;
    variables.set(entry.name, value);
    known.set(entry.name, value);
  }
  // Services come last, and only where the container has not said otherwise.
  for (const [name, value] of services) if (!variables.has(name)) variables.set(name, value);
  return [...variables].map(([name, value]) => ({ name, value }));
};

/** Any printable ASCII but `=`; what else a ConfigMap holds is skipped, not an error. */
function isEnvName(name: string): boolean {
  return /^[ -<>-~]+$/.test(name);
}

async function entryValue(
  pod: Pod,
  container: Core.Container,
  entry: Core.EnvVar,
  known: ReadonlyMap<string, string>,
  context: EnvironmentContext,
): Promise<string | undefined> {
  const from = entry.valueFrom;
  const namespace = pod.metadata.namespace ?? 'default';
  if (!from) return expandVariables(entry.value ?? '', known);
  if (from.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, context);
  if (from.resourceFieldRef) return resourceValue(pod, container, from.resourceFieldRef, context);
  if (from.configMapKeyRef) {
    const { name = '', key, optional } = from.configMapKeyRef;
    const map = await context.objects.configMap(namespace, name);
    return pick(`configmap "${name}"`, `ConfigMap ${namespace}/${name}`, key, optional, map && (map.data ?? {}));
  }
  if (from.secretKeyRef) {
    const { name = '', key, optional } = from.secretKeyRef;
    const secret = await context.objects.secret(namespace, name);
    return pick(`secret "${name}"`, `Secret ${namespace}/${name}`, key, optional, secret && decode(secret.data));
  }
  throw new ContainerConfigError(`environment variable ${entry.name} has an unknown source`);
}

/** The value of one key; undefined where it is missing and optional. */
function pick(
  object: string,
  title: string,
  key: string,
  optional: boolean | undefined,
  data: Readonly<Record<string, string>> | undefined,
): string | undefined {
  if (data && Object.hasOwn(data, key)) return data[key];
  if (optional === true) return undefined;
  throw new ContainerConfigError(data ? `couldn't find key ${key} in ${title}` : `${object} not found`);
}

async function sourceData(
  source: Core.EnvFromSource,
  namespace: string,
  { objects }: EnvironmentContext,
): Promise<Record<string, string>> {
  if (source.configMapRef) {
    const { name = '', optional } = source.configMapRef;
    const map = await objects.configMap(namespace, name);
    if (!map && optional !== true) throw new ContainerConfigError(`configmap "${name}" not found`);
    return map?.data ?? {};
  }
  if (source.secretRef) {
    const { name = '', optional } = source.secretRef;
    const secret = await objects.secret(namespace, name);
    if (!secret && optional !== true) throw new ContainerConfigError(`secret "${name}" not found`);
    return decode(secret?.data);
  }
  return {};
}

function decode(data: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );
}

/**
 * Variables of the Services a pod may see: those of its own namespace where it wants them, and default/kubernetes always, unless its
 * own namespace has a Service of that name (7-046, 7-047). Headless and ExternalName ones have none (7-049).
 */
export function serviceVariables(
  namespace: string,
  enableServiceLinks: boolean,
  services: readonly Service[],
): Map<string, string> {
  const visible = new Map<string, Service>();
  for (const service of services) {
    const { name, namespace: home } = service.metadata;
    if (home === 'default' && name === 'kubernetes' && !visible.has(name)) visible.set(name, service);
    if (home === namespace && enableServiceLinks) visible.set(name, service);
  }
  const variables = new Map<string, string>();
  const byName = [...visible.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const service of byName) addService(variables, service);
  return variables;
}

function addService(variables: Map<string, string>, { metadata, spec }: Service): void {
  const ip = spec.clusterIP ?? '';
  const first = spec.ports?.[0];
  if (ip === '' || ip === 'None' || spec.type === 'ExternalName' || !first) return;
  const name = envName(metadata.name);
  variables.set(`${name}_SERVICE_HOST`, ip);
  variables.set(`${name}_SERVICE_PORT`, String(first.port));
  for (const port of spec.ports ?? []) {
    if (port.name) variables.set(`${name}_SERVICE_PORT_${envName(port.name)}`, String(port.port));
  }
  for (const port of spec.ports ?? []) {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${joinHostPort(ip, port.port)}`;
    if (port === first) variables.set(`${name}_PORT`, url);
    const prefix = `${name}_PORT_${String(port.port)}_${protocol}`;
    variables.set(prefix, url);
    variables.set(`${prefix}_PROTO`, protocol.toLowerCase());
    variables.set(`${prefix}_PORT`, String(port.port));
    variables.set(`${prefix}_ADDR`, ip);
  }
}

function envName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
