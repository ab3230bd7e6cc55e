/**
 * The ClusterRoles and Roles every cluster has: for people (`view`, `edit`, `admin`, `cluster-admin`), for everybody (`system:discovery`,
 * `system:basic-user`, …) and for the parts of a cluster. Names and powers are Kubernetes 1.36's. Pure data.
 */
import type { ClusterRole, Role } from '../../api/types.ts';
import type { PolicyRule } from './rules.ts';
import { NODE_RULES } from './node.ts';

const READ = 'get list watch';
const WRITE = 'create update patch delete deletecollection';

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** `group` '' is the core group; verbs, groups and resources are words. */
function on(verbs: string, group: string, resources: string, names = ''): PolicyRule {
  return {
    verbs: words(verbs),
    apiGroups: group === '' ? [''] : words(group),
    resources: words(resources),
    ...(names !== '' && { resourceNames: words(names) }),
  };
}

const urls = (paths: string, verbs = 'get'): PolicyRule => ({ verbs: words(verbs), nonResourceURLs: words(paths) });

const events: readonly PolicyRule[] = [
  on('create patch update', '', 'events'),
  on('create patch update', 'events.k8s.io', 'events'),
];
const reviews: readonly PolicyRule[] = [
  on('create', 'authentication.k8s.io', 'tokenreviews'),
  on('create', 'authorization.k8s.io', 'subjectaccessreviews'),
];
/** A part that elects a leader. */
const lease = (name: string): PolicyRule[] => [
  on('create', 'coordination.k8s.io', 'leases'),
  on('get update patch', 'coordination.k8s.io', 'leases', name),
];

const HEALTH = '/healthz /healthz/* /livez /livez/* /readyz /readyz/*';
const INFO = '/version /version/';

/** What is in a namespace and can be looked at without becoming somebody else: neither secrets nor roles. */
const viewed: PolicyRule[] = [
  on(
    READ,
    '',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
  ),
  on(
    READ,
    '',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
  ),
  // At the scope of a namespace: that namespace.
  on(READ, '', 'namespaces'),
  on(READ, 'discovery.k8s.io', 'endpointslices'),
  on(
    READ,
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
  ),
  on(READ, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
  on(
    READ,
    'extensions',
    'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale',
  ),
  on(READ, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
  on(READ, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
  on(READ, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
];

/** Everything people run. Who can write Pods can become any service account of the namespace, so they may act as it and read secrets. */
const edited: PolicyRule[] = [
  on(READ, '', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
  on('impersonate', '', 'serviceaccounts'),
  on(WRITE, '', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
  on('create', '', 'pods/eviction'),
  on(
    WRITE,
    '',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
  ),
  on('create', '', 'serviceaccounts/token'),
  on(
    WRITE,
    'apps',
    'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
  ),
  on(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
  on(
    WRITE,
    'extensions',
    'daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale',
  ),
  on(WRITE, 'batch', 'cronjobs jobs'),
  on(WRITE, 'policy', 'poddisruptionbudgets'),
  on(WRITE, 'networking.k8s.io', 'ingresses networkpolicies'),
  on(`${READ} ${WRITE}`, 'coordination.k8s.io', 'leases'),
];

const administered: PolicyRule[] = [
  on('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
  on(`${READ} ${WRITE}`, 'rbac.authorization.k8s.io', 'rolebindings roles'),
];

/** Name -> rules. */
const plain: Readonly<Record<string, readonly PolicyRule[]>> = {
  'cluster-admin': [on('*', '*', '*'), urls('*', '*')],
  'system:discovery': [urls(`${HEALTH} ${INFO} /api /api/* /apis /apis/* /openapi /openapi/*`)],
  'system:basic-user': [
    on('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
    on('create', 'authentication.k8s.io', 'selfsubjectreviews'),
  ],
  'system:public-info-viewer': [urls(`${HEALTH} ${INFO}`)],
  'system:monitoring': [urls(`/metrics /metrics/* ${HEALTH}`)],
  'system:service-account-issuer-discovery': [urls('/.well-known/openid-configuration /openid/v1/jwks')],
  'system:auth-delegator': reviews,
  'system:kubelet-api-admin': [
    on(READ, '', 'nodes'),
    on('proxy', '', 'nodes'),
    on('*', '', 'nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats'),
  ],
  'system:node': [
    ...NODE_RULES,
    on(READ, '', 'configmaps pods secrets'),
    on('get', '', 'persistentvolumeclaims persistentvolumes'),
    on('get update patch', '', 'persistentvolumeclaims/status'),
    on('create', '', 'serviceaccounts/token'),
    on('get create update patch delete', 'coordination.k8s.io', 'leases'),
    on('get create update patch delete', 'storage.k8s.io', 'csinodes'),
  ],
  'system:node-bootstrapper': [on('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests')],
  'system:node-problem-detector': [on('get', '', 'nodes'), on('patch', '', 'nodes/status'), ...events],
  'system:node-proxier': [
    on('list watch', '', 'endpoints services'),
    on(READ, '', 'nodes'),
    on('list watch', 'discovery.k8s.io', 'endpointslices'),
    on('list watch', 'networking.k8s.io', 'servicecidrs'),
    ...events,
  ],
  // Pods: who asks (`pods verified`, metadata); the Node it runs on, for its zone. As CoreDNS' own role.
  'system:kube-dns': [
    on('list watch', '', 'endpoints namespaces pods services'),
    on(READ, '', 'nodes'),
    on('list watch', 'discovery.k8s.io', 'endpointslices'),
    on('list watch', 'multicluster.x-k8s.io', 'serviceimports'),
  ],
  'system:kube-controller-manager': [
    ...events,
    ...lease('kube-controller-manager'),
    on('create', '', 'secrets serviceaccounts'),
    on('delete', '', 'secrets'),
    on('get', '', 'configmaps namespaces secrets serviceaccounts'),
    on('update', '', 'secrets serviceaccounts'),
    on('create', '', 'serviceaccounts/token'),
    ...reviews,
    on('list watch', '*', '*'),
  ],
  'system:kube-scheduler': [
    ...events,
    ...lease('kube-scheduler'),
    on(READ, '', 'namespaces nodes persistentvolumeclaims persistentvolumes replicationcontrollers services'),
    on(`${READ} delete`, '', 'pods'),
    on('create', '', 'bindings pods/binding'),
    on('patch update', '', 'pods/status'),
    on(READ, 'apps', 'replicasets statefulsets'),
    on(READ, 'policy', 'poddisruptionbudgets'),
    on(READ, 'storage.k8s.io', 'csidrivers csinodes csistoragecapacities storageclasses'),
    ...reviews,
  ],
  'system:volume-scheduler': [
    on(`${READ} patch update`, '', 'persistentvolumeclaims persistentvolumes'),
    on(READ, 'storage.k8s.io', 'storageclasses'),
  ],
  'system:persistent-volume-provisioner': [
    on(`${READ} create delete`, '', 'persistentvolumes'),
    on(`${READ} update`, '', 'persistentvolumeclaims'),
    on(READ, 'storage.k8s.io', 'storageclasses'),
    on('watch', '', 'events'),
    ...events,
  ],
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient': [
    on('create', 'certificates.k8s.io', 'certificatesigningrequests/nodeclient'),
  ],
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': [
    on('create', 'certificates.k8s.io', 'certificatesigningrequests/selfnodeclient'),
  ],
};

const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

/** Marks what a newer version may bring up to date (see `reconcile.ts`). */
export const defaultMetadata = {
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
};

function clusterRole(name: string, rules: readonly PolicyRule[], labels: Record<string, string> = {}): ClusterRole {
  const metadata = { name, labels: { ...defaultMetadata.labels, ...labels }, annotations: defaultMetadata.annotations };
  return { metadata, rules: structuredClone(rules) as ClusterRole['rules'] & object };
}

/** Gathers the roles with a label, those that others add among them. Its own rules are there from the start, as the gathering takes a moment. */
function gathering(name: string, rules: readonly PolicyRule[], into?: string): ClusterRole {
  const labels = into === undefined ? {} : { [`${AGGREGATE}${into}`]: 'true' };
  const selector = { matchLabels: { [`${AGGREGATE}${name}`]: 'true' } };
  return { ...clusterRole(name, rules, labels), aggregationRule: { clusterRoleSelectors: [selector] } };
}

const gathered = (name: string, rules: readonly PolicyRule[]): ClusterRole =>
  clusterRole(`system:aggregate-to-${name}`, rules, { [`${AGGREGATE}${name}`]: 'true' });

export function defaultClusterRoles(): ClusterRole[] {
  return [
    ...Object.entries(plain).map(([name, rules]) => clusterRole(name, rules)),
    gathered('view', viewed),
    gathered('edit', edited),
    gathered('admin', administered),
    gathering('view', viewed, 'edit'),
    gathering('edit', [...edited, ...viewed], 'admin'),
    gathering('admin', [...edited, ...viewed, ...administered]),
  ];
}

/** Those of the system's own namespaces. */
export function defaultRoles(): Role[] {
  const role = (namespace: string, name: string, rules: PolicyRule[]): Role => ({
    metadata: { name, namespace, ...structuredClone(defaultMetadata) },
    rules: rules as Role['rules'] & object,
  });
  return [
    role('kube-system', 'extension-apiserver-authentication-reader', [
      on(READ, '', 'configmaps', 'extension-apiserver-authentication'),
    ]),
    role('kube-system', 'system:controller:bootstrap-signer', [on(READ, '', 'secrets')]),
    role('kube-system', 'system:controller:token-cleaner', [on(`${READ} delete`, '', 'secrets'), ...events]),
    // A watch of one ConfigMap is one with a field selector, which `resourceNames` holds to that name.
    role('kube-system', 'system:kube-dns', [on(READ, '', 'configmaps', 'coredns'), ...events]),
    role('kube-system', 'system::leader-locking-kube-controller-manager', [
      on('watch', '', 'configmaps'),
      on('get update', '', 'configmaps', 'kube-controller-manager'),
    ]),
    role('kube-system', 'system::leader-locking-kube-scheduler', [
      on('watch', '', 'configmaps'),
      on('get update', '', 'configmaps', 'kube-scheduler'),
    ]),
    role('kube-public', 'system:controller:bootstrap-signer', [
      on(READ, '', 'configmaps'),
      on('update', '', 'configmaps', 'cluster-info'),
      ...events,
    ]),
  ];
}
