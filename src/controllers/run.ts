/** Starts every controller of the cluster in this process. */
import type { Client } from '../client/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { clusterDnsController } from './cluster-dns.ts';
import type { ClusterDns } from './cluster-dns-plan.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation.ts';
import { cronJobController } from './cron-job.ts';
import { daemonSetController } from './daemon-set.ts';
import { deploymentController } from './deployment.ts';
import { disruptionController } from './disruption.ts';
import { endpointSliceMirroringController } from './endpoint-slice-mirroring.ts';
import { endpointSliceController } from './endpoint-slice.ts';
import { endpointsController } from './endpoints.ts';
import { garbageCollector } from './garbage-collector.ts';
import { jobController } from './job.ts';
import { startControllers, type Controller, type Controllers } from './loop.ts';
import { namespaceController } from './namespace.ts';
import { nodeIpamController } from './node-ipam.ts';
import { nodeLifecycleController } from './node-lifecycle.ts';
import { replicaSetController } from './replica-set.ts';
import { replicationControllerController } from './replication-controller.ts';
import { rootCaController, serviceAccountController } from './service-account.ts';
import { statefulSetController } from './stateful-set.ts';
import { tokenCleanerController } from './token-cleaner.ts';

export interface ControllersOptions {
  readonly client: Client;
  readonly log: Log;
  readonly clock?: Clock;
  /** Nodes get their Pod ranges from it; absent: they bring their own. */
  readonly clusterCidr?: string;
  /** Certificate of the cluster's CA, in PEM, published to every Namespace; absent: not published. */
  readonly caPem?: string;
  /** The Service kube-system/kube-dns and its Corefile; absent: the cluster has a DNS of its own, or none. */
  readonly clusterDns?: ClusterDns;
  /** Silence of a kubelet, in ms, after which its Node is unreachable. Default 40 s. */
  readonly nodeMonitorGracePeriod?: number;
  /** 1 to 1000, default 100. */
  readonly maxEndpointsPerSlice?: number;
}

/** All controllers for these options, not yet running. @throws Error on an option that makes no sense. */
export function allControllers(options: ControllersOptions): Controller[] {
  const { clusterCidr, caPem, clusterDns, nodeMonitorGracePeriod, maxEndpointsPerSlice } = options;
  return [
    endpointsController(),
    endpointSliceController(maxEndpointsPerSlice === undefined ? {} : { maxEndpointsPerSlice }),
    endpointSliceMirroringController(),
    namespaceController,
    garbageCollector(),
    serviceAccountController,
    clusterRoleAggregationController,
    tokenCleanerController,
    nodeLifecycleController(nodeMonitorGracePeriod === undefined ? {} : { nodeMonitorGracePeriod }),
    ...(caPem === undefined ? [] : [rootCaController(caPem)]),
    ...(clusterCidr === undefined ? [] : [nodeIpamController({ clusterCidr })]),
    ...(clusterDns === undefined ? [] : [clusterDnsController(clusterDns)]),
    replicationControllerController(),
    replicaSetController(),
    deploymentController(),
    daemonSetController(),
    statefulSetController(),
    jobController(),
    cronJobController(),
    disruptionController,
  ];
}

/** Runs until stopped. What it returns can be waited on: `started` once every controller works. */
export function runControllers(options: ControllersOptions): Controllers {
  return startControllers(allControllers(options), options);
}
