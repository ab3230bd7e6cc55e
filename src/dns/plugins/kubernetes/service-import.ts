/** A Service that other clusters of a clusterset have too, as the Multi-Cluster Services API (KEP-1645) writes it. */
import { define } from '../../../api/kind.ts';
import type { ObjectMeta } from '../../../api/types.ts';

export interface ServiceImport {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: {
    type: 'ClusterSetIP' | 'Headless';
    ips?: string[];
    ports?: { name?: string; protocol?: string; port: number }[];
  };
}

export const SERVICE_IMPORTS = define<ServiceImport>('multicluster.x-k8s.io/v1alpha1', 'Namespaced', [
  'ServiceImport',
  'serviceimports',
]);
