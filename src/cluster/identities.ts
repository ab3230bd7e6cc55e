/** Who speaks with the API server, and with which certificate: the server, the administrator, each node, all proxies, all DNS servers. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { renderKubeconfig } from '../client/kubeconfig.ts';
import type { CertificateRequest } from './certificate-request.ts';
import { pkiPaths } from './certificates.ts';
import type { ClusterConfig } from './config.ts';
import type { Layout, NodeLayout } from './layout.ts';
import { firstAddress } from './processes.ts';

/** The files of what all nodes share; their users are bound to the roles system:node-proxier and system:kube-dns. */
const PROXY = 'kube-proxy';
const DNS = 'kube-dns';

/** The certificates the agent of `node` works with: it must be started anew when one is renewed. */
export const agentCertificates = (node: string): readonly string[] => [node, `${node}-kubelet`, PROXY, DNS];

/** Every certificate a cluster of these nodes needs. Pure. */
export function certificateRequests(
  layout: Layout,
  config: ClusterConfig,
  nodes: readonly NodeLayout[],
): CertificateRequest[] {
  const names = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${config.clusterDomain}`,
    'localhost',
  ];
  return [
    {
      file: 'apiserver',
      commonName: 'kube-apiserver',
      use: 'server',
      ips: [layout.lan.hostIp, '127.0.0.1', firstAddress(config.serviceClusterIpRange)],
      names,
    },
    {
      file: 'apiserver-kubelet-client',
      commonName: 'kube-apiserver-kubelet-client',
      organization: 'system:masters',
      use: 'client',
    },
    { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters', use: 'client' },
    { file: PROXY, commonName: 'system:kube-proxy', use: 'client' },
    { file: DNS, commonName: 'system:kube-dns', use: 'client' },
    ...nodes.flatMap((node): CertificateRequest[] => [
      { file: node.name, commonName: `system:node:${node.name}`, organization: 'system:nodes', use: 'client' },
      {
        file: `${node.name}-kubelet`,
        commonName: `system:node:${node.name}`,
        organization: 'system:nodes',
        use: 'server',
        ips: [node.ip],
        names: [node.name],
      },
    ]),
  ];
}

/** The administrator's kubeconfig and one for each agent, readable by root alone. */
export function writeKubeconfigs(layout: Layout, nodes: readonly NodeLayout[]): void {
  const pki = pkiPaths(layout.pki);
  const read = (file: string) => readFileSync(file, 'utf8');
  const write = (path: string, user: string, file: string) => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    const context = layout.name === 'default' ? 'fairway' : `fairway-${layout.name}`;
    writeFileSync(
      path,
      renderKubeconfig({
        name: context,
        user,
        server: layout.apiServer,
        ca: read(pki.ca),
        cert: read(pki.cert(file)),
        key: read(pki.key(file)),
      }),
      { mode: 0o600 },
    );
  };
  write(layout.kubeconfig, 'kubernetes-admin', 'admin');
  for (const node of nodes) {
    write(node.kubeconfig, `system:node:${node.name}`, node.name);
    write(node.proxyKubeconfig, 'system:kube-proxy', PROXY);
    write(node.dnsKubeconfig, 'system:kube-dns', DNS);
  }
}
