import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Core, Pod } from '../api/types.ts';
import { renderHostsFile } from './hosts-file.ts';
import { parseResolvConf } from './resolv-conf.ts';

const pod = (spec: Partial<Core.PodSpec>): Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [], ...spec },
});
test('the node’s resolv.conf is read: comments, last search line, "." and trailing dots (4-074)', () => {
  const text = `# made by something
nameserver 192.0.2.1 ; the first
nameserver fd00::1
domain old.example
search . corp.example. lab.example
options timeout:1 rotate
`;
  assert.deepEqual(parseResolvConf(text), {
    servers: ['192.0.2.1', 'fd00::1'],
    searches: ['corp.example', 'lab.example'],
    options: ['timeout:1', 'rotate'],
  });
});

test('hosts file: on the node’s network it is the node’s own, and aliases', () => {
  const spec = { hostNetwork: true, hostAliases: [{ ip: '192.0.2.7', hostnames: ['a'] }] };
  assert.equal(
    renderHostsFile(pod(spec), ['172.30.0.11'], { hostname: 'node01', domain: '' }, '127.0.0.1 localhost'),
    `# Kubernetes-managed hosts file (host network).
127.0.0.1 localhost

# Entries added by HostAliases.
192.0.2.7\ta
`,
  );
});
