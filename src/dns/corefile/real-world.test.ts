/** Corefiles in the shapes that distributions ship and people write: each works, or is refused at the line that we do not serve. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { FakeClient } from '../../client/fake-client.ts';
import { buildServers } from '../routing/chain.ts';
import { fakeRuntime } from '../fake-runtime.ts';
import { planListeners } from '../sockets/listeners.ts';
import type { ImportSource } from './import-source.ts';
import { parseCorefile } from './parse.ts';

const folder = join(import.meta.dirname, 'testdata');
const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');

/** A folder `custom` with one file of each kind, wherever it is looked for. */
const imports: ImportSource = {
  read: (file) => (/custom\.(override|server)$/.test(file) ? textOf(file.replace(/^.*\//, '')) : undefined),
  glob: (pattern) => [pattern.replace('*', 'custom')],
  resolve: (_, pattern) => pattern,
};

/** What each block answers with, or why the file is refused. */
function outcome(name: string): string {
  const environment = (variable: string) => ({ DNS_PORT: '1053' })[variable];
  try {
    const blocks = parseCorefile(textOf(name), { file: name, environment, imports });
    const runtime = fakeRuntime({ client: new FakeClient([]), resolvConf: join(folder, 'resolv.conf') });
    const servers = buildServers(blocks, runtime);
    planListeners(servers, ['10.0.0.1']);
    return servers
      .map(
        ({ block, port, plugins }) =>
          `${block.zones.join(' ')} ${String(port)}: ${plugins.map((each) => each.name).join(' ')}`,
      )
      .join('\n');
  } catch (error) {
    if (error instanceof Error && error.name === 'CorefileError') return error.message;
    throw error;
  }
}

const USUAL = 'reload ready health prometheus errors loadbalance cache kubernetes loop forward';
const NODE_LOCAL = 'reload bind prometheus errors cache loop forward';
const SMALL = 'root cancel nsid bind debug local dns64 acl any header minimal hosts whoami';

const EXPECTED: Readonly<Record<string, string>> = {
  'kubeadm.corefile': `. 53: ${USUAL}`,
  'eks.corefile': `. 53: ${USUAL}`,
  'k3s.corefile': `. 53: reload ready health prometheus errors log loadbalance cache rewrite hosts kubernetes loop forward\nconsul.local. 53: errors cache forward`,
  'aks.corefile': `. 53: reload ready health prometheus errors log loadbalance cache rewrite template kubernetes loop forward\nconsul.local. 53: errors cache forward`,
  'gke-stub-domains.corefile': `acme.local. 53: errors cache forward
corp.example.com. 20.10.in-addr.arpa. 53: errors cache loop forward
. 53: reload health prometheus errors loadbalance cache kubernetes loop forward`,
  'nodelocaldns.corefile': `cluster.local. 53: reload bind health prometheus errors cache loop forward
in-addr.arpa. 53: ${NODE_LOCAL}\nip6.arpa. 53: ${NODE_LOCAL}\n. 53: ${NODE_LOCAL}`,
  'openshift.corefile': `foo.com. 5353: bufsize prometheus errors log cache forward
. 5353: reload bufsize ready health prometheus errors log cache kubernetes forward`,
  'minikube.corefile': `. 53: reload ready health prometheus errors log loadbalance cache hosts kubernetes loop forward`,
  'autopath.corefile': `. 53: reload health prometheus errors loadbalance cache autopath kubernetes loop forward`,
  'rewrites.corefile': `. 53: metadata errors log cache rewrite template kubernetes forward`,
  'edge.corefile': `. 1053: ${SMALL}\n8.b.d.0.1.0.0.2.ip6.arpa. 53: ${SMALL}`,
  'federation.corefile':
    'federation.corefile:9: plugin federation: CoreDNS dropped it in 1.7, and Kubernetes with it: remove it',
  'kubernetes-1.12.corefile':
    'kubernetes-1.12.corefile:10: plugin proxy: CoreDNS replaced it in 1.5: write forward in its place',
  'zone-file.corefile': 'zone-file.corefile:2: plugin file is not served by Fairway',
  'over-tls.corefile': 'over-tls.corefile:4: tls://.:853: Fairway serves dns:// only, over UDP and TCP',
  'views.corefile': 'views.corefile:2: plugin view is not served by Fairway',
  'typo.corefile': 'typo.corefile:5: kubernetes: unknown option "fallthru", there are ',
};

for (const name of readdirSync(folder).filter((file) => file.endsWith('.corefile'))) {
  test(`${name} ${EXPECTED[name]?.startsWith(name) ? 'is refused where it is wrong' : 'works'}`, () => {
    const found = outcome(name);
    const expected = EXPECTED[name];
    if (expected?.endsWith(' ')) assert.ok(found.startsWith(expected), found);
    else assert.equal(found, expected);
  });
}
