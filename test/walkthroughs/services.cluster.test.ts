/** Walkthroughs W1-W7: what a reader of a tutorial does by hand, with a stock kubectl, real containers, rules and packets. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Cluster, eventually, must } from '../support/cluster.ts';

const cluster = new Cluster('w');
const LOOP = join(import.meta.dirname, '..', 'support', 'http-client-loop.ts');

before(() => {
  // the chains that tutorials show; other modes have a test of their own
  must(cluster.up('--proxy-mode', 'iptables'));
});
after(() => {
  cluster.stop();
});

const podNames = (selector: string) =>
  cluster.jsonpath('{.items[*].metadata.name}', 'pods', '-l', selector).split(' ').filter(Boolean).sort();
const curl = (node: string, url: string) => cluster.onNode(node, 'curl', '-sS', '--max-time', '5', url);

describe('W1: a Deployment of three behind a Service', () => {
  before(() => {
    cluster.applyFile('hostnames.yaml');
    cluster.waitRollout('hostnames');
  });

  test('kubectl shows 3/3, three Pods, the Service and three endpoints', () => {
    assert.match(cluster.get('get', 'deploy'), /hostnames\s+3\/3\s+3\s+3/);
    assert.equal(podNames('app=hostnames').length, 3);
    assert.match(cluster.get('get', 'svc', 'hostnames'), /hostnames\s+ClusterIP\s+10\.96\.\d+\.\d+\s+<none>\s+80\/TCP/);
    assert.match(cluster.get('get', 'endpoints', 'hostnames'), /hostnames\s+(10\.244\.\d+\.\d+:9376,?){3}/);
  });

  test("the cluster IP answers each Pod's own name, all three, about evenly", () => {
    const ip = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'hostnames');
    const script = 'i=0; while [ $i -lt 90 ]; do curl -sS --max-time 5 http://$0; i=$((i+1)); done';
    const counts = new Map<string, number>();
    const answers = must(cluster.onNode('node01', 'sh', '-c', script, ip))
      .trim()
      .split('\n');
    assert.equal(answers.length, 90);
    for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
    assert.deepEqual([...counts.keys()].sort(), podNames('app=hostnames'));
    // 90 draws of 1/3: outside 12..48 is less likely than one in a hundred thousand
    for (const [name, count] of counts)
      assert.ok(count >= 12 && count <= 48, `${name} answered ${String(count)} of 90`);
  });
});

describe('W2: its rules on a node', () => {
  const rules = () => must(cluster.onNode('node01', 'iptables-save')).split('\n');

  test("one rule leads from KUBE-SERVICES to the Service's chain, whose name is the one tutorials show", () => {
    const ip = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'hostnames');
    const entry = rules().filter(
      (rule) => rule.startsWith('-A KUBE-SERVICES') && rule.includes('default/hostnames:default'),
    );
    assert.deepEqual(entry, [
      `-A KUBE-SERVICES -d ${ip}/32 -p tcp -m comment --comment "default/hostnames:default cluster IP" -m tcp --dport 80 -j KUBE-SVC-ODX2UBAZM7RQWOIU`,
    ]);
  });

  test('three jumps share the connections 1/3, 1/2, rest', () => {
    const jumps = rules().filter(
      (rule) => rule.startsWith('-A KUBE-SVC-ODX2UBAZM7RQWOIU') && rule.includes('KUBE-SEP-'),
    );
    assert.equal(jumps.length, 3);
    assert.match(jumps[0] ?? '', /--mode random --probability 0\.3333/);
    assert.match(jumps[1] ?? '', /--mode random --probability 0\.5000/);
    assert.doesNotMatch(jumps[2] ?? '', /probability/);
  });

  test('each endpoint has a chain with a hairpin mark and a DNAT', () => {
    const all = rules();
    const addresses = cluster.jsonpath('{.subsets[0].addresses[*].ip}', 'endpoints', 'hostnames').split(' ');
    for (const address of addresses) {
      const dnat = all.find((rule) => rule.includes(`--to-destination ${address}:9376`));
      const chain = /^-A (KUBE-SEP-[A-Z2-7]{16}) .*-j DNAT/.exec(dnat ?? '')?.[1];
      assert.ok(chain, `no DNAT to ${address}`);
      assert.ok(
        all.some((rule) => rule.startsWith(`-A ${chain} -s ${address}/32`) && rule.endsWith('-j KUBE-MARK-MASQ')),
        'hairpin mark',
      );
    }
  });
});

interface Request {
  start: number;
  ms: number;
  body?: string;
  error?: string;
}

/** Runs a client on node01 while `change` happens; returns its requests and when the change had reached that node's rules. */
async function underLoad(
  url: string,
  change: () => Promise<void> | void,
  goneAddress: () => string,
): Promise<{ requests: Request[]; left: number }> {
  const address = goneAddress();
  const child = cluster.spawnOnNode(
    'node01',
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    LOOP,
    url,
    '50',
  );
  const requests: Request[] = [];
  assert.ok(child.stdout);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => requests.push(JSON.parse(line) as Request));
  await eventually(() => {
    assert.ok(requests.length > 20);
  });
  await change();
  await eventually(() => {
    assert.ok(
      !must(cluster.onNode('node01', 'iptables-save', '-t', 'nat')).includes(`${address}:`),
      'the address is still in the rules',
    );
    assert.ok(
      !cluster.jsonpath('{.subsets[*].addresses[*].ip}', 'endpoints', 'hostnames').split(' ').includes(address),
    );
  });
  const left = Date.now();
  await eventually(() => {
    assert.ok(requests.filter(({ start }) => start > left).length > 100);
  });
  child.kill('SIGTERM');
  await new Promise((resolve) => lines.on('close', resolve));
  return { requests, left };
}

describe('W3: a Pod that leaves under a running client', () => {
  const url = () => `http://${cluster.jsonpath('{.spec.clusterIP}', 'svc', 'hostnames')}`;
  const firstPod = () => podNames('app=hostnames')[0] ?? '';
  const addressOf = (pod: string) => cluster.jsonpath('{.status.podIP}', 'pod', pod);

  test('deleted: once it has left, no request fails and none reaches it', async () => {
    const pod = firstPod();
    const { requests, left } = await underLoad(
      url(),
      () => void cluster.get('delete', 'pod', pod, '--wait=false'),
      () => addressOf(pod),
    );
    const later = requests.filter(({ start }) => start > left);
    assert.deepEqual(
      later.filter(({ error }) => error !== undefined),
      [],
    );
    assert.ok(!later.some(({ body }) => body === pod));
    assert.ok(
      requests.some(({ body }) => body === pod),
      'it answered before',
    );
    cluster.waitRollout('hostnames');
  });

  test('failing its readiness: the same, and it keeps running', async () => {
    const probe = { exec: { command: ['sh', '-c', 'test ! -e /tmp/sick'] }, periodSeconds: 1, failureThreshold: 1 };
    const patch = { spec: { template: { spec: { containers: [{ name: 'hostnames', readinessProbe: probe }] } } } };
    cluster.get('patch', 'deployment', 'hostnames', '-p', JSON.stringify(patch));
    cluster.waitRollout('hostnames');
    const pod = await eventually(() => {
      const names = podNames('app=hostnames');
      assert.equal(names.length, 3, 'the old Pods have gone');
      return names[0] ?? '';
    }, 60_000);
    const { requests, left } = await underLoad(
      url(),
      () => void cluster.get('exec', pod, '--', 'touch', '/tmp/sick'),
      () => addressOf(pod),
    );
    assert.deepEqual(
      requests.filter(({ error }) => error !== undefined),
      [],
      'it went on answering, so not one request failed',
    );
    assert.ok(!requests.some(({ start, body }) => start > left && body === pod));
    assert.match(cluster.get('get', 'pod', pod), /0\/1\s+Running/);
    assert.match(cluster.get('describe', 'pod', pod), /Readiness probe failed/);
    cluster.get('exec', pod, '--', 'rm', '/tmp/sick');
    cluster.get('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=30s');
  });
});

describe('W4: nginx with startup, liveness and readiness probes', () => {
  before(() => {
    cluster.applyFile('my-nginx.yaml');
    cluster.waitRollout('my-nginx');
  });

  test('get pods by label, wide and with labels', () => {
    assert.match(
      cluster.get('get', 'pods', '-l', 'run=my-nginx', '-o', 'wide'),
      /NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\s+IP\s+NODE/,
    );
    assert.match(cluster.get('get', 'pods', '-l', 'run=my-nginx', '--show-labels'), /LABELS\n(.*run=my-nginx\n){2}/);
    assert.match(cluster.get('get', 'svc', '-l', 'run=my-nginx'), /my-nginx\s+ClusterIP/);
  });

  test('the welcome page comes by Pod IP and by cluster IP', () => {
    const pod = cluster.jsonpath('{.items[0].status.podIP}', 'pods', '-l', 'run=my-nginx');
    const service = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'my-nginx');
    for (const address of [pod, service]) assert.match(must(curl('node01', `http://${address}/`)), /Welcome to nginx!/);
  });

  test('describe and get ep tell what people look for', () => {
    const text = cluster.get('describe', 'svc', 'my-nginx');
    for (const field of [
      'Type:',
      'IP Family Policy:',
      'IP Families:',
      'IP:',
      'IPs:',
      'Port:',
      'TargetPort:',
      'Endpoints:',
      'Session Affinity:',
      'Events:',
    ]) {
      assert.match(text, new RegExp(`^${field}`, 'm'));
    }
    assert.match(text, /^Endpoints:\s+10\.244\.\d+\.\d+:80,10\.244\.\d+\.\d+:80$/m);
    assert.match(cluster.get('get', 'ep', 'my-nginx'), /my-nginx\s+10\.244\.\d+\.\d+:80,10\.244\.\d+\.\d+:80/);
  });

  test('from outside the cluster the cluster IP does not answer', () => {
    const service = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'my-nginx');
    assert.notEqual(cluster.outside('curl', '-sS', '--max-time', '2', `http://${service}/`).code, 0);
  });
});

describe('W5: a ReplicationController and a Service from 8000 to 80', () => {
  before(() => {
    cluster.applyFile('nginx-rc.yaml');
    cluster.get('wait', '--for=condition=Ready', 'pod', '-l', 'app=nginx', '--timeout=60s');
  });

  test('three Pods, owned by the controller', () => {
    assert.match(cluster.get('get', 'rc', 'nginx-controller'), /nginx-controller\s+3\s+3\s+3/);
    assert.match(
      cluster.get('describe', 'pod', podNames('app=nginx')[0] ?? ''),
      /Controlled By:\s+ReplicationController\/nginx-controller/,
    );
  });

  test('packet counters rise along PREROUTING, KUBE-SERVICES, KUBE-SVC, KUBE-SEP, DNAT', async () => {
    await eventually(() => {
      assert.equal(
        cluster.jsonpath('{.subsets[0].addresses[*].ip}', 'endpoints', 'nginx-service').split(' ').length,
        3,
      );
    });
    const ip = cluster.jsonpath('{.spec.clusterIP}', 'svc', 'nginx-service');
    const pod = cluster.jsonpath('{.items[0].metadata.name}', 'pods', '-l', 'app=hostnames');
    const node = cluster.jsonpath('{.spec.nodeName}', 'pod', pod);
    const chains = () => parseCounters(must(cluster.onNode(node, 'iptables', '-L', '-v', '-n', '-x', '-t', 'nat')));
    await eventually(() => {
      assert.ok(chains().get('KUBE-SVC-GKN7Y2BSGW4NJTYL'), 'the chain of default/nginx-service:, unnamed port, tcp');
    });
    const before = chains();
    for (let i = 0; i < 12; i++)
      assert.match(cluster.get('exec', pod, '--', 'wget', '-q', '-O', '-', `http://${ip}:8000`), /Welcome to nginx!/);
    const after = chains();
    const risen = (chain: string, target: (row: Row) => boolean) =>
      sum(after.get(chain), target) - sum(before.get(chain), target);
    assert.ok(risen('PREROUTING', ({ target }) => target === 'KUBE-SERVICES') >= 12);
    assert.equal(
      risen('KUBE-SERVICES', ({ target }) => target === 'KUBE-SVC-GKN7Y2BSGW4NJTYL'),
      12,
    );
    const endpoints = (after.get('KUBE-SVC-GKN7Y2BSGW4NJTYL') ?? [])
      .map(({ target }) => target)
      .filter((target) => target.startsWith('KUBE-SEP-'));
    assert.equal(endpoints.length, 3);
    assert.equal(
      endpoints.reduce((total, chain) => total + risen(chain, ({ target }) => target === 'DNAT'), 0),
      12,
    );
  });
});

interface Row {
  packets: number;
  target: string;
}

/** `iptables -L -v -n -x`: chain -> rows with packet counts. */
function parseCounters(text: string): Map<string, Row[]> {
  const chains = new Map<string, Row[]>();
  let rows: Row[] = [];
  for (const line of text.split('\n')) {
    const chain = /^Chain (\S+)/.exec(line)?.[1];
    if (chain !== undefined) chains.set(chain, (rows = []));
    const match = /^\s*(\d+)\s+\d+\s+(\S+)/.exec(line);
    if (match) rows.push({ packets: Number(match[1]), target: match[2] ?? '' });
  }
  return chains;
}

function sum(rows: Row[] | undefined, wanted: (row: Row) => boolean): number {
  return (rows ?? []).filter(wanted).reduce((total, { packets }) => total + packets, 0);
}

describe('W6: NodePort', () => {
  const nodeIps = () =>
    cluster.jsonpath('{.items[*].status.addresses[?(@.type=="InternalIP")].address}', 'nodes').split(' ');

  test('a port left out is given one of the range', () => {
    cluster.apply(
      'apiVersion: v1\nkind: Service\nmetadata: {name: any-port}\nspec: {type: NodePort, selector: {run: my-nginx-nodeport}, ports: [{port: 80}]}\n',
    );
    const port = Number(cluster.jsonpath('{.spec.ports[0].nodePort}', 'svc', 'any-port'));
    assert.ok(port >= 30000 && port <= 32767, String(port));
    cluster.get('delete', 'svc', 'any-port');
  });

  test('fixed to 30380, every node answers from outside, also one without a Pod', async () => {
    cluster.applyFile('nginx-nodeport.yaml');
    cluster.get('scale', 'deployment', 'my-nginx-nodeport', '--replicas=1');
    cluster.waitRollout('my-nginx-nodeport');
    assert.match(cluster.get('get', 'svc', 'my-nginx-nodeport'), /NodePort\s+\S+\s+<none>\s+80:30380\/TCP/);
    await eventually(() => {
      assert.equal(
        cluster.jsonpath('{.subsets[0].addresses[*].ip}', 'endpoints', 'my-nginx-nodeport').split(' ').length,
        1,
      );
    });
    const ips = nodeIps();
    assert.equal(ips.length, 2);
    for (const ip of ips)
      await eventually(() => {
        assert.match(
          must(cluster.outside('curl', '-sS', '--max-time', '5', `http://${ip}:30380/`)),
          /Welcome to nginx!/,
        );
      });
    for (const node of ['node01', 'node02']) {
      assert.match(
        must(cluster.onNode(node, 'iptables-save', '-t', 'nat')),
        /-A KUBE-NODEPORTS .*default\/my-nginx-nodeport.* --dport 30380 -j KUBE-EXT-/,
      );
    }
  });

  test('a port outside the range is refused with the range in the message', () => {
    const yaml =
      'apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {type: NodePort, selector: {a: b}, ports: [{port: 80, nodePort: 80}]}\n';
    assert.throws(
      () => cluster.apply(yaml),
      /provided port is not in the valid range. The range of valid ports is 30000-32767/,
    );
    assert.match(cluster.kubectl('get', 'svc', 'bad').stderr, /services "bad" not found/);
  });
});

describe('W7: two ports of one Service', () => {
  test('both answer', async () => {
    cluster.applyFile('my-nginx-ports.yaml');
    for (const port of ['30080', '30443']) {
      await eventually(() => {
        assert.match(
          must(cluster.outside('curl', '-sS', '--max-time', '5', `http://172.30.0.11:${port}/`)),
          /Welcome to nginx!/,
        );
      });
    }
  });

  test('two ports without names are refused', () => {
    const yaml =
      'apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {selector: {a: b}, ports: [{port: 80}, {port: 81}]}\n';
    assert.throws(
      () => cluster.apply(yaml),
      /spec\.ports\[0\]\.name: Required value\s+\* spec\.ports\[1\]\.name: Required value/,
    );
  });
});
