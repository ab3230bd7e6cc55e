/** What a Pod's spec gets for fields left out, in Pods and in the templates of workloads (feature 7-001). */
import type { Core } from '../types.ts';

/** Read-only for all, writable for the owner: 0644. */
const fileMode = 0o644;
const tokenLifetimeSeconds = 3600;

export function defaultPodSpec(spec: Core.PodSpec): void {
  spec.restartPolicy ||= 'Always';
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.schedulerName ||= 'default-scheduler';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.securityContext ??= {};
  alignServiceAccount(spec);
  for (const container of spec.initContainers ?? []) defaultContainer(container, spec.hostNetwork);
  for (const container of (spec.containers as Core.Container[] | undefined) ?? []) {
    defaultContainer(container, spec.hostNetwork);
  }
  for (const container of spec.ephemeralContainers ?? [])
    defaultContainer(container as Core.Container, spec.hostNetwork);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
}

/** `serviceAccount` is the old name of `serviceAccountName`; readers of either find it. */
function alignServiceAccount(spec: Core.PodSpec): void {
  const name = spec.serviceAccountName ?? spec.serviceAccount;
  if (!name) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

export function defaultContainer(container: Core.Container, hostNetwork = false): void {
  container.imagePullPolicy ||= hasMovingTag(container.image ?? '') ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) {
    port.protocol ||= 'TCP';
    // On the host's network a container's port is the host's port.
    if (hostNetwork) port.hostPort ||= port.containerPort;
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= 'v1';
    if (valueFrom?.resourceFieldRef) valueFrom.resourceFieldRef.divisor ??= '0';
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe) defaultProbe(probe);
  }
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop]) defaultHttpGet(hook?.httpGet);
}

/** `latest`, or no tag and no digest: the image may be another one tomorrow. */
function hasMovingTag(image: string): boolean {
  if (image.includes('@')) return false;
  const name = image.slice(image.lastIndexOf('/') + 1);
  const tag = name.includes(':') ? name.slice(name.indexOf(':') + 1) : '';
  return tag === '' || tag === 'latest';
}

function defaultProbe(probe: Core.Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHttpGet(get: Core.HTTPGetAction | undefined): void {
  if (!get) return;
  get.path ||= '/';
  get.scheme ||= 'HTTP';
}

function defaultVolume(volume: Core.Volume): void {
  // A volume that names no source is an empty directory.
  if (Object.keys(volume).every((field) => field === 'name')) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= fileMode;
  if (volume.configMap) volume.configMap.defaultMode ??= fileMode;
  if (volume.hostPath) volume.hostPath.type ??= '';
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= fileMode;
    defaultDownwardFiles(volume.downwardAPI.items);
  }
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim) claim.volumeMode ||= 'Filesystem';
  if (!volume.projected) return;
  volume.projected.defaultMode ??= fileMode;
  for (const source of volume.projected.sources ?? []) {
    if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= tokenLifetimeSeconds;
    defaultDownwardFiles(source.downwardAPI?.items);
  }
}

function defaultDownwardFiles(items: Core.DownwardAPIVolumeFile[] | undefined): void {
  for (const { fieldRef, resourceFieldRef } of items ?? []) {
    if (fieldRef) fieldRef.apiVersion ||= 'v1';
    if (resourceFieldRef) resourceFieldRef.divisor ??= '0';
  }
}
