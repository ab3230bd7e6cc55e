/**
 * The shapes of Kubernetes objects, as TypeScript types. They come from the `kubernetes-types` package; what is
 * here only narrows them: an object that has been stored always has metadata with a name.
 */
import type * as Admission from 'kubernetes-types/admissionregistration/v1';
import type * as Apps from 'kubernetes-types/apps/v1';
import type * as Autoscaling from 'kubernetes-types/autoscaling/v2';
import type * as Batch from 'kubernetes-types/batch/v1';
import type * as Certificates from 'kubernetes-types/certificates/v1';
import type * as Coordination from 'kubernetes-types/coordination/v1';
import type * as Core from 'kubernetes-types/core/v1';
import type * as Discovery from 'kubernetes-types/discovery/v1';
import type * as Networking from 'kubernetes-types/networking/v1';
import type * as NodeGroup from 'kubernetes-types/node/v1';
import type * as Policy from 'kubernetes-types/policy/v1';
import type * as Rbac from 'kubernetes-types/rbac/v1';
import type * as Scheduling from 'kubernetes-types/scheduling/v1';
import type * as Storage from 'kubernetes-types/storage/v1';
import type * as Meta from 'kubernetes-types/meta/v1';

export type {
  Admission,
  Apps,
  Autoscaling,
  Certificates,
  Storage,
  Batch,
  Coordination,
  Core,
  Discovery,
  Meta,
  Networking,
  Policy,
  Rbac,
  Scheduling,
};

/** Metadata of an object that came from the API server: name is always there; uid and resourceVersion once stored. */
export type ObjectMeta = Writable<Meta.ObjectMeta> & { name: string };

/** The package marks what clients may not set as read-only; the server's own code sets it. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What every stored object has. Concrete kinds intersect this with their own fields. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** `T` with metadata narrowed and the named fields present. */
type Stored<T, Present extends keyof T = never> = Writable<Omit<T, 'metadata' | 'apiVersion' | 'kind'>> &
  KubeObject & { [K in Present]-?: NonNullable<T[K]> };

export type Namespace = Stored<Core.Namespace>;
export type Node = Stored<Core.Node>;
export type Pod = Stored<Core.Pod, 'spec'>;
export type Service = Stored<Core.Service, 'spec'>;
export type Endpoints = Stored<Core.Endpoints>;
export type EndpointSlice = Stored<Discovery.EndpointSlice>;
export type ConfigMap = Stored<Core.ConfigMap>;
export type Secret = Stored<Core.Secret>;
export type ServiceAccount = Stored<Core.ServiceAccount>;
export type Event = Stored<Core.Event>;
export type ReplicationController = Stored<Core.ReplicationController, 'spec'>;
export type ReplicaSet = Stored<Apps.ReplicaSet, 'spec'>;
export type Deployment = Stored<Apps.Deployment, 'spec'>;
export type DaemonSet = Stored<Apps.DaemonSet, 'spec'>;
export type StatefulSet = Stored<Apps.StatefulSet, 'spec'>;
export type ControllerRevision = Stored<Apps.ControllerRevision>;
export type Job = Stored<Batch.Job, 'spec'>;
export type CronJob = Stored<Batch.CronJob, 'spec'>;
export type Lease = Stored<Coordination.Lease>;
export type Ingress = Stored<Networking.Ingress>;
export type IngressClass = Stored<Networking.IngressClass>;
export type PodDisruptionBudget = Stored<Policy.PodDisruptionBudget>;
export type Role = Stored<Rbac.Role>;
export type ClusterRole = Stored<Rbac.ClusterRole>;
export type RoleBinding = Stored<Rbac.RoleBinding>;
export type ClusterRoleBinding = Stored<Rbac.ClusterRoleBinding>;
export type LimitRange = Stored<Core.LimitRange>;
export type ResourceQuota = Stored<Core.ResourceQuota>;
export type PersistentVolumeClaim = Stored<Core.PersistentVolumeClaim>;
export type PriorityClass = Stored<Scheduling.PriorityClass>;
export type HorizontalPodAutoscaler = Stored<Autoscaling.HorizontalPodAutoscaler>;
export type CertificateSigningRequest = Stored<Certificates.CertificateSigningRequest>;
export type RuntimeClass = Stored<NodeGroup.RuntimeClass>;
export type CSIDriver = Stored<Storage.CSIDriver>;
export type CSINode = Stored<Storage.CSINode>;
export type CSIStorageCapacity = Stored<Storage.CSIStorageCapacity>;
export type StorageClass = Stored<Storage.StorageClass>;
export type VolumeAttachment = Stored<Storage.VolumeAttachment>;
export type MutatingWebhookConfiguration = Stored<Admission.MutatingWebhookConfiguration>;
export type ValidatingWebhookConfiguration = Stored<Admission.ValidatingWebhookConfiguration>;

/** storage.k8s.io/v1 VolumeAttributesClass. */
export interface VolumeAttributesClass extends KubeObject {
  driverName: string;
  parameters?: Record<string, string>;
}

/** apiregistration.k8s.io/v1 APIService: one group and version that is served, here or by a Service. */
export interface APIService extends KubeObject {
  spec?: {
    group?: string;
    version?: string;
    groupPriorityMinimum?: number;
    versionPriority?: number;
    service?: { namespace?: string; name?: string; port?: number };
    caBundle?: string;
    insecureSkipTLSVerify?: boolean;
  };
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] };
}

/** networking.k8s.io/v1 IPAddress: one claimed cluster IP (features 1-105, 1-118). */
export interface IPAddress extends KubeObject {
  spec: { parentRef: { group?: string; resource: string; namespace?: string; name: string } };
}

/** networking.k8s.io/v1 ServiceCIDR: a range cluster IPs are taken from (features 1-112). */
export interface ServiceCIDR extends KubeObject {
  spec: { cidrs?: string[] };
  status?: { conditions?: Meta.Condition[] };
}

/** A list as the API answers it. `items` is never absent. */
export interface List<T extends KubeObject = KubeObject> {
  apiVersion?: string;
  kind?: string;
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** One event of a watch. `object` of an ERROR is a Status; of a BOOKMARK only its metadata.resourceVersion counts. */
export type WatchEvent<T extends KubeObject = KubeObject> =
  { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T } | { type: 'ERROR'; object: Status };

/** meta/v1 Status: the answer that is not an object (features 8-089). */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, unknown>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: { reason?: string; message?: string; field?: string }[];
    retryAfterSeconds?: number;
  };
  code?: number;
}
