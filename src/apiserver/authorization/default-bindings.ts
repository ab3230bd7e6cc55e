/** Who holds the default roles from the start. Pure data. */
import type { ClusterRoleBinding, Rbac, RoleBinding } from '../../api/types.ts';
import { MASTERS } from './authorizer.ts';
import { defaultMetadata } from './default-roles.ts';

const apiGroup = 'rbac.authorization.k8s.io';
const group = (name: string): Rbac.Subject => ({ apiGroup, kind: 'Group', name });
const user = (name: string): Rbac.Subject => ({ apiGroup, kind: 'User', name });
const account = (namespace: string, name: string): Rbac.Subject => ({ kind: 'ServiceAccount', name, namespace });

const everybody = group('system:authenticated');
const strangers = group('system:unauthenticated');

/** Those of a CoreDNS that somebody brings, and ours. */
function dnsServers(): Rbac.Subject[] {
  return [account('kube-system', 'kube-dns'), account('kube-system', 'coredns'), user('system:kube-dns')];
}

/** A binding is called like its role. */
const clusterWide: Readonly<Record<string, readonly Rbac.Subject[]>> = {
  'cluster-admin': [group(MASTERS)],
  'system:discovery': [everybody],
  'system:basic-user': [everybody],
  'system:public-info-viewer': [everybody, strangers],
  'system:monitoring': [group('system:monitoring')],
  'system:service-account-issuer-discovery': [group('system:serviceaccounts')],
  'system:node-proxier': [user('system:kube-proxy')],
  'system:kube-dns': dnsServers(),
  'system:kube-controller-manager': [user('system:kube-controller-manager')],
  'system:kube-scheduler': [user('system:kube-scheduler')],
  'system:volume-scheduler': [user('system:kube-scheduler')],
  // Nobody: what a node may do depends on its Pods, and the node authorizer knows them.
  'system:node': [],
};

export function defaultClusterRoleBindings(): ClusterRoleBinding[] {
  return Object.entries(clusterWide).map(([name, subjects]) => ({
    metadata: { name, ...structuredClone(defaultMetadata) },
    roleRef: { apiGroup, kind: 'ClusterRole', name },
    ...(subjects.length > 0 && { subjects: structuredClone([...subjects]) }),
  }));
}

export function defaultRoleBindings(): RoleBinding[] {
  const binding = (namespace: string, role: string, subjects: Rbac.Subject[], name = role): RoleBinding => ({
    metadata: { name, namespace, ...structuredClone(defaultMetadata) },
    roleRef: { apiGroup, kind: 'Role', name: role },
    subjects,
  });
  const managers = user('system:kube-controller-manager');
  const scheduler = user('system:kube-scheduler');
  const reader = 'extension-apiserver-authentication-reader';
  const signer = 'system:controller:bootstrap-signer';
  return [
    binding('kube-system', reader, [managers, scheduler], `system::${reader}`),
    binding('kube-system', 'system:kube-dns', dnsServers()),
    binding('kube-system', signer, [account('kube-system', 'bootstrap-signer')]),
    binding('kube-system', 'system:controller:token-cleaner', [account('kube-system', 'token-cleaner')]),
    binding('kube-system', 'system::leader-locking-kube-controller-manager', [
      managers,
      account('kube-system', 'kube-controller-manager'),
    ]),
    binding('kube-system', 'system::leader-locking-kube-scheduler', [
      scheduler,
      account('kube-system', 'kube-scheduler'),
    ]),
    binding('kube-public', signer, [account('kube-system', 'bootstrap-signer')]),
  ];
}
