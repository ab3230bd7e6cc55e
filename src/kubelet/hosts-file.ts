/** What a pod's /etc/hosts says (feature 4-077). Pure. */
import type { RenderHostsFile } from './parts.ts';

const HEADER = '# Kubernetes-managed hosts file.\n';
const HEADER_HOST = '# Kubernetes-managed hosts file (host network).\n';

/** A pod on the node's network keeps the node's file; both kinds get spec.hostAliases at the end. */
export const renderHostsFile: RenderHostsFile = (pod, podIPs, { hostname, domain }, hostFile) => {
  const aliases = (pod.spec.hostAliases ?? []).filter(({ ip }) => ip !== undefined && ip !== '');
  const added =
    aliases.length === 0
      ? ''
      : `\n# Entries added by HostAliases.\n${aliases
          .map(({ ip, hostnames }) => `${ip ?? ''}\t${(hostnames ?? []).join('\t')}\n`)
          .join('')}`;
  if (pod.spec.hostNetwork === true) {
    return HEADER_HOST + hostFile + (hostFile === '' || hostFile.endsWith('\n') ? '' : '\n') + added;
  }
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  return `${HEADER}127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
${podIPs.map((ip) => `${ip}\t${names}\n`).join('')}${added}`;
};
