/** Containers and init containers of a Pod's spec. */
import { duplicate, forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { dns1123Label, portName, portNumber, qualifiedName } from '../names.ts';
import { compareQuantities } from '../quantity.ts';
import type { Core } from '../types.ts';
import { follows, mustExist, mustFollow, requiredOneOf } from './check.ts';
import { validateEnv } from './env.ts';
import { validateLifecycle, validateProbe } from './probes.ts';
import { validateRelativePath } from './volumes.ts';

export function validateContainers(spec: Core.PodSpec, path: string): FieldError[] {
  const names = new Set<string>();
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const containers = (spec.containers as Core.Container[] | undefined) ?? [];
  const check = (container: Core.Container, at: string): FieldError[] => {
    const errors = validateContainer(container, volumes, at, spec.hostNetwork ?? false);
    if (container.name && names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    return errors;
  };
  const errors = containers.length === 0 ? [required(`${path}.containers`)] : [];
  for (const [index, container] of containers.entries())
    errors.push(...check(container, `${path}.containers[${index}]`));
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${path}.initContainers[${index}]`;
    errors.push(...check(container, at), ...validateInitContainer(container, at));
  }
  return [...errors, ...hostPortConflicts(containers, `${path}.containers`)];
}

const notForEphemeral = 'cannot be set for an Ephemeral Container';
/** What a container has to be relied upon for its Pod's work, and what would hold back the Pod's resources. */
const workFields = [
  'ports',
  'resources',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
  'restartPolicy',
] as const;

/** Containers that were added to a running Pod to look into it (KEP-277): they share its volumes, and need a name of their own. */
export function validateEphemeralContainers(spec: Core.PodSpec, path: string): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const targets = new Set([...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name));
  const names = new Set(targets);
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const at = `${path}[${index}]`;
    const { name, targetContainerName: target, volumeMounts = [] } = container;
    const errors = validateContainer(container as Core.Container, volumes, at, false);
    if (name && names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    if (target && !targets.has(target))
      errors.push({ type: 'NotFound', field: `${at}.targetContainerName`, value: target });
    for (const field of workFields)
      if (isSet((container as Core.Container)[field])) errors.push(forbidden(`${at}.${field}`, notForEphemeral));
    for (const [place, mount] of volumeMounts.entries())
      for (const field of ['subPath', 'subPathExpr'] as const)
        if (mount[field]) errors.push(forbidden(`${at}.volumeMounts[${place}].${field}`, notForEphemeral));
    return errors;
  });
}

function isSet(value: unknown): boolean {
  return typeof value === 'object' ? Object.keys(value ?? {}).length > 0 : value !== undefined && value !== '';
}

function validateContainer(
  container: Core.Container,
  volumes: ReadonlySet<string>,
  path: string,
  hostNetwork: boolean,
): FieldError[] {
  const errors = mustFollow(dns1123Label, `${path}.name`, container.name);
  if (!container.image) errors.push(required(`${path}.image`));
  else if (container.image !== container.image.trim()) {
    errors.push(invalid(`${path}.image`, container.image, 'must not have leading or trailing whitespace'));
  }
  return [
    ...errors,
    ...validateLifecycle(container.lifecycle, `${path}.lifecycle`),
    ...validateProbe('livenessProbe', container.livenessProbe, path),
    ...validateProbe('readinessProbe', container.readinessProbe, path),
    ...validateProbe('startupProbe', container.startupProbe, path),
    ...requiredOneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
      'File',
      'FallbackToLogsOnError',
    ]),
    ...validatePorts(container.ports ?? [], `${path}.ports`, hostNetwork),
    ...validateEnv(container, path),
    ...validateMounts(container.volumeMounts ?? [], volumes, `${path}.volumeMounts`),
    ...requiredOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...validateResources(container.resources, `${path}.resources`),
  ];
}

/** Probes and hooks need a container that keeps running: in an init container only a sidecar does. */
function validateInitContainer(container: Core.Container, path: string): FieldError[] {
  if (container.restartPolicy === 'Always') return [];
  const fields = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
  return fields
    .filter((field) => container[field])
    .map((field) => forbidden(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always'));
}

function validatePorts(ports: readonly Core.ContainerPort[], path: string, hostNetwork: boolean): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `${path}[${index}]`;
    const errors = follows(portName, `${at}.name`, port.name);
    if (port.name) {
      if (names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else
      errors.push(
        ...portNumber(port.containerPort).map((why) => invalid(`${at}.containerPort`, port.containerPort, why)),
      );
    if (port.hostPort)
      errors.push(...portNumber(port.hostPort).map((why) => invalid(`${at}.hostPort`, port.hostPort, why)));
    if (hostNetwork && port.hostPort !== port.containerPort) {
      const why = 'must match `hostPort` when `hostNetwork` is true';
      errors.push(invalid(`${at}.containerPort`, port.containerPort, why));
    }
    return [...errors, ...requiredOneOf(`${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP'])];
  });
}

/** Two containers of one Pod cannot have the same port of the host. */
function hostPortConflicts(containers: readonly Core.Container[], path: string): FieldError[] {
  const taken = new Set<string>();
  const errors: FieldError[] = [];
  for (const [index, container] of containers.entries()) {
    for (const [at, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${path}[${index}].ports[${at}].hostPort`, key));
      taken.add(key);
    }
  }
  return errors;
}

function validateMounts(mounts: readonly Core.VolumeMount[], volumes: ReadonlySet<string>, path: string): FieldError[] {
  const paths = new Set<string>();
  return mounts.flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const errors = mustExist(`${at}.name`, mount.name);
    if (mount.name && !volumes.has(mount.name)) {
      errors.push({ type: 'NotFound', field: `${at}.name`, value: mount.name });
    }
    errors.push(...mustExist(`${at}.mountPath`, mount.mountPath));
    if (paths.has(mount.mountPath)) errors.push(invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount.mountPath);
    if (mount.subPath) errors.push(...validateRelativePath(mount.subPath, `${at}.subPath`));
    return errors;
  });
}

const standardResources = ['cpu', 'memory', 'ephemeral-storage'];
const isStandard = (name: string): boolean => standardResources.includes(name) || name.startsWith('hugepages-');

function validateResources(resources: Core.ResourceRequirements | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['limits', 'requests'] as const) {
    for (const [name, amount] of Object.entries(resources?.[field] ?? {})) {
      const at = `${path}.${field}`;
      errors.push(...qualifiedName(name).map((problem) => invalid(at, name, problem)));
      if (!name.includes('/') && !isStandard(name)) {
        errors.push(invalid(at, name, 'must be a standard resource for containers'));
      }
      if (compareQuantities(amount, '0') < 0) {
        errors.push(invalid(`${at}[${name}]`, amount, 'must be greater than or equal to 0'));
      }
    }
  }
  for (const [name, request] of Object.entries(resources?.requests ?? {})) {
    const limit = resources?.limits?.[name];
    if (limit === undefined || compareQuantities(request, limit) <= 0) continue;
    errors.push(invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
  return errors;
}
