/**
 * Walkthroughs W8 and W10, and what Pods see of the cluster's DNS: stock resolvers of both C libraries in real Pods, the ConfigMap that is
 * edited under them, and every dnsPolicy. Rows 4-048 and 4-063 to 4-079 with real containers.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Cluster, eventually, FAIRWAY, must, run } from '../support/cluster.ts';
import { buildResolvers, RESOLVERS_IMAGE } from '../support/resolvers.ts';
import { describeExplained } from './dns-explained.ts';
import { describeNearby } from './dns-nearby.ts';

const cluster = new Cluster('dns');
const KUBE_DNS = '10.96.0.10';
const NODE_IPS = ['172.30.0.11', '172.30.0.12'];
/** With the final dot: a short one would be asked of upstreams too, and this machine may have none that nodes reach. */
const missing = 'nowhere.default.svc.cluster.local.';
const LAB_UPSTREAM = join(import.meta.dirname, '..', 'support', 'lab-upstream.ts');
let upstream: ChildProcess | undefined;

/** A Pod that sleeps. */
const pod = (name: string, spec: object, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: RESOLVERS_IMAGE, imagePullPolicy: 'Never' }],
    ...spec,
  },
});
const service = (name: string, spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });

const OBJECTS = [
  pod('resolver', {}),
  pod('peer', { hostname: 'web-0', subdomain: 'headless', setHostnameAsFQDN: true }, { app: 'peer' }),
  pod('override', { hostnameOverride: 'www.example.com' }),
  pod('default', { dnsPolicy: 'Default' }),
  pod('host', { hostNetwork: true, hostname: 'ignored' }),
  pod('host-cluster', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }),
  pod('none', {
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.9'], searches: ['x.example', '.'], options: [{ name: 'ndots', value: '2' }] },
  }),
  pod('many', { dnsConfig: { nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] } }),
  pod('merged', {
    dnsConfig: { searches: ['x.example'], options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] },
  }),
  service('headless', { clusterIP: 'None', selector: { app: 'peer' }, ports: [{ name: 'http', port: 80 }] }),
];

before(async () => {
  const resolvers = await buildResolvers();
  must(cluster.up());
  must(cluster.fairway('image load', resolvers.archive));
  resolvers.remove();
  for (const file of ['dig.yaml', 'external-name.yaml', 'my-nginx.yaml']) cluster.applyFile(file);
  cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: OBJECTS }));
  cluster.get('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s');
  for (const name of ['client', 'my-nginx']) cluster.waitRollout(name);
  cluster.waitRollout('nginx', 'nginx-ns');
  // In a process of its own: this one waits for what it starts.
  upstream = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', LAB_UPSTREAM, '172.30.0.1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(upstream.stdout);
  await once(upstream.stdout, 'data');
});
after(() => {
  upstream?.kill();
  cluster.stop();
});

const exec = (name: string, ...command: string[]) => cluster.kubectl('exec', name, '--', ...command);
const say = (name: string, ...command: string[]) => must(exec(name, ...command));
const addresses = new Map<string, string>();
/** Asked once: none of them changes here. */
function asked(...args: [path: string, ...what: string[]]): string {
  const key = args.join(' ');
  const address = addresses.get(key) ?? cluster.jsonpath(...args);
  addresses.set(key, address);
  return address;
}
const addressOf = (name: string, ...more: string[]) => asked('{.spec.clusterIP}', 'svc', name, ...more);
const podIp = (name: string) => asked('{.status.podIP}', 'pod', name);
const lines = (text: string) => text.trim().split('\n');

describe('where people look', () => {
  test('the Service kube-dns is at the tenth address, with its ports and labels, and stays on the node (4-048)', () => {
    const text = cluster.get('-n', 'kube-system', 'get', 'svc', 'kube-dns', '--show-labels');
    assert.match(text, /^kube-dns +ClusterIP +10\.96\.0\.10 +<none> +53\/UDP,53\/TCP,9153\/TCP .*k8s-app=kube-dns/m);
    const described = cluster.get('-n', 'kube-system', 'describe', 'svc', 'kube-dns');
    assert.match(described, /^Internal Traffic Policy: +Local$/m);
    assert.match(described, /^Port: +metrics +9153\/TCP$/m);
  });

  test('the ConfigMap coredns holds the Corefile', () => {
    const corefile = cluster.get('-n', 'kube-system', 'get', 'configmap', 'coredns', '-o', 'jsonpath={.data.Corefile}');
    assert.match(corefile, /^\.:53 \{\n {4}errors\n[^]* {4}kubernetes cluster\.local in-addr\.arpa ip6\.arpa \{/);
  });

  test('each node’s figures are at port 9153, and its health and readiness at theirs', () => {
    for (const ip of NODE_IPS) {
      assert.match(
        must(cluster.outside('curl', '-sS', `http://${ip}:9153/metrics`)),
        /^# TYPE coredns_dns_requests_total counter$/m,
      );
      assert.equal(must(cluster.outside('curl', '-sS', `http://${ip}:8080/health`)), 'OK');
      assert.match(must(cluster.outside('curl', '-sS', `http://${ip}:8181/ready`)), /^OK/);
    }
  });
});

describe('W8: an ExternalName', () => {
  test('get svc shows the external name', () => {
    assert.match(
      cluster.get('get', 'svc', 'client-svc'),
      /client-svc +ExternalName +<none> +nginx-svc\.nginx-ns\.svc\.cluster\.local +80\/TCP/,
    );
  });

  test('the page comes by both names, and the alias resolves to an address', () => {
    const client = cluster.jsonpath('{.items[0].metadata.name}', 'pods', '-l', 'app=busybox');
    for (const name of ['client-svc.default.svc.cluster.local', 'nginx-svc.nginx-ns.svc.cluster.local', 'client-svc'])
      assert.match(say(client, 'wget', '-q', '-O', '-', name), /Welcome to nginx!/);
    assert.deepEqual(lines(say('dig', 'dig', '+short', 'client-svc.default.svc.cluster.local')), [
      'nginx-svc.nginx-ns.svc.cluster.local.',
      addressOf('nginx-svc', '-n', 'nginx-ns'),
    ]);
  });
});

describe('W10: looking names up by hand', () => {
  test('nslookup asks 10.96.0.10 and finds short names', () => {
    const text = say('dig', 'nslookup', 'kubernetes');
    assert.match(
      text,
      /^Server:\t+10\.96\.0\.10\nAddress:\t10\.96\.0\.10#53\n\nName:\tkubernetes\.default\.svc\.cluster\.local\nAddress: 10\.96\.0\.1$/m,
    );
    assert.match(
      say('dig', 'nslookup', 'client-svc'),
      /canonical name = nginx-svc\.nginx-ns\.svc\.cluster\.local\.\nName:\tnginx-svc\.nginx-ns\.svc\.cluster\.local\nAddress: /,
    );
    assert.match(
      exec('dig', 'nslookup', missing).stdout,
      /server can't find nowhere\.default\.svc\.cluster\.local: NXDOMAIN/,
    );
  });

  test('dig: ports, reverse names, headless Services, Pods and the version of the specification', () => {
    const [nginx, peer] = [addressOf('nginx-svc', '-n', 'nginx-ns'), podIp('peer')];
    const questions: [args: string[], answer: string[]][] = [
      [['_http._tcp.nginx-svc.nginx-ns.svc.cluster.local', 'SRV'], ['0 100 80 nginx-svc.nginx-ns.svc.cluster.local.']],
      [['-x', nginx], ['nginx-svc.nginx-ns.svc.cluster.local.']],
      [['headless.default.svc.cluster.local'], [peer]],
      [['web-0.headless.default.svc.cluster.local'], [peer]],
      [
        ['_http._tcp.headless.default.svc.cluster.local', 'SRV'],
        ['0 100 80 web-0.headless.default.svc.cluster.local.'],
      ],
      [['-x', peer], ['web-0.headless.default.svc.cluster.local.']],
      [[`${peer.replaceAll('.', '-')}.default.pod.cluster.local`], [peer]],
      [['dns-version.cluster.local', 'TXT'], ['"1.1.0"']],
    ];
    const batch = questions.flatMap(([args]) => [
      `echo "? $(dig +short ${args.join(' ')})"`,
      `echo "? $(dig +tcp +short ${args.join(' ')})"`,
    ]);
    const answers = say('dig', 'sh', '-c', batch.join('; ')).split('? ').slice(1).map(lines);
    assert.deepEqual(
      answers,
      questions.flatMap(([, answer]) => [answer, answer]),
    );
  });
});

describe('resolvers of both C libraries', () => {
  const names = ['my-nginx', 'my-nginx.default', 'my-nginx.default.svc', 'my-nginx.default.svc.cluster.local.'];

  for (const program of ['resolve-glibc', 'resolve-musl']) {
    test(`${program}: partly qualified names go through the search list (4-078), and missing ones are missing`, () => {
      const ip = addressOf('my-nginx');
      const said = lines(
        say('resolver', program, ...names, 'client-svc', 'web-0.headless', 'kube-dns.kube-system', missing, ip),
      );
      assert.deepEqual(
        said.slice(0, 4),
        names.map((name) => `${name} ${ip}`),
      );
      assert.deepEqual(said.slice(4, 7), [
        `client-svc ${addressOf('nginx-svc', '-n', 'nginx-ns')}`,
        `web-0.headless ${podIp('peer')}`,
        `kube-dns.kube-system ${KUBE_DNS}`,
      ]);
      assert.match(said[7] ?? '', /^nowhere\S* (Name or service not known|Name does not resolve)$/);
      assert.equal(said[8], `${ip} my-nginx.default.svc.cluster.local`);
    });
  }

  test('getent: hosts and ahosts', () => {
    const ip = addressOf('my-nginx');
    assert.match(
      say('resolver', 'getent', 'hosts', 'my-nginx'),
      new RegExp(`^${ip} +my-nginx\\.default\\.svc\\.cluster\\.local`),
    );
    assert.match(say('resolver', 'getent', 'ahostsv4', 'my-nginx.default'), new RegExp(`^${ip} +STREAM`));
    assert.equal(exec('resolver', 'getent', 'hosts', missing).code, 2);
  });
});

describe('what Pods are told', () => {
  const resolvConf = (name: string) => lines(say(name, 'cat', '/etc/resolv.conf'));
  const word = (list: string[], keyword: string) =>
    list.filter((line) => line.startsWith(`${keyword} `)).map((line) => line.slice(keyword.length + 1));
  const host = run('cat', ['/etc/resolv.conf']).stdout;
  const hostServers = [...host.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '').slice(0, 3);
  const search = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];

  test('ClusterFirst is the default: the Service, the search list, ndots:5 (4-063, 4-068, 4-073)', () => {
    const told = resolvConf('resolver');
    assert.deepEqual(word(told, 'nameserver'), [KUBE_DNS]);
    assert.deepEqual(word(told, 'search')[0]?.split(' ').slice(0, 3), search);
    assert.deepEqual(word(told, 'options'), ['ndots:5']);
  });

  test('on the node’s network it is the node’s, unless it is asked for (4-064, 4-065)', () => {
    assert.deepEqual(word(resolvConf('host'), 'nameserver'), hostServers.length > 0 ? hostServers : ['127.0.0.1']);
    assert.deepEqual(word(resolvConf('host-cluster'), 'nameserver'), [KUBE_DNS]);
    assert.match(
      say('host-cluster', 'resolve-glibc', 'my-nginx'),
      new RegExp(`^my-nginx ${addressOf('my-nginx')}$`, 'm'),
    );
  });

  test('Default, None and a dnsConfig on top (4-066, 4-067, 4-069, 4-071)', () => {
    assert.deepEqual(word(resolvConf('default'), 'nameserver'), hostServers.length > 0 ? hostServers : ['127.0.0.1']);
    assert.deepEqual(resolvConf('none'), ['search x.example .', 'nameserver 192.0.2.9', 'options ndots:2']);
    const merged = resolvConf('merged');
    assert.deepEqual(word(merged, 'search')[0]?.split(' ').at(-1), 'x.example');
    assert.deepEqual(word(merged, 'options'), ['ndots:2 edns0']);
    // With ndots:2 a name of one dot is tried with the search list first, one of two dots as it is.
    assert.match(say('merged', 'resolve-musl', 'my-nginx.default'), new RegExp(` ${addressOf('my-nginx')}$`, 'm'));
  });

  test('what is cut off is told in an Event (4-070)', () => {
    assert.deepEqual(word(resolvConf('many'), 'nameserver'), [KUBE_DNS, '192.0.2.1', '192.0.2.2']);
    assert.match(
      cluster.get('describe', 'pod', 'many'),
      /Warning +DNSConfigForming .*Nameserver limits were exceeded, .* is: 10\.96\.0\.10 192\.0\.2\.1 192\.0\.2\.2/,
    );
  });

  test('names: hostname and subdomain, a name of one’s own, the node’s (4-075, 4-076, 4-077, 4-079)', () => {
    assert.equal(say('peer', 'hostname').trim(), 'web-0.headless.default.svc.cluster.local');
    const hosts = say('peer', 'cat', '/etc/hosts');
    assert.match(hosts, /^# Kubernetes-managed hosts file\./);
    assert.match(
      hosts,
      new RegExp(`^${podIp('peer')}\tweb-0\\.headless\\.default\\.svc\\.cluster\\.local\tweb-0$`, 'm'),
    );
    assert.equal(say('override', 'hostname').trim(), 'www.example.com');
    assert.equal(say('host', 'hostname').trim(), cluster.jsonpath('{.spec.nodeName}', 'pod', 'host'));
  });
});

describe('the ConfigMap, edited while everything runs', () => {
  /** `kubectl edit` with a program for an editor. */
  const edit = (...scripts: string[]) =>
    must(
      run(cluster.kubectlFile, ['-n', 'kube-system', 'edit', 'configmap', 'coredns'], {
        env: { ...cluster.env, KUBE_EDITOR: ['sed -i', ...scripts.map((script) => `-e '${script}'`)].join(' ') },
      }),
    );
  /** On both nodes, since each has a DNS of its own. */
  const bothNodes = (name: string, expected: string) =>
    eventually(() => {
      for (const ip of NODE_IPS) {
        assert.equal(must(cluster.outside('dig', '+short', '+time=2', '+tries=1', `@${ip}`, name)).trim(), expected);
      }
    }, 10_000);

  test('a stub domain and a table of hosts are there on every node without a restart', async () => {
    edit(
      's/^\\( *\\)forward \\. .*/\\1hosts {\\n\\1    192.0.2.55 static.example\\n\\1    fallthrough\\n\\1}\\n&/',
      's/^\\( *\\)Corefile: |/&\\n\\1  lab.test:53 {\\n\\1    forward . 172.30.0.1\\n\\1  }/',
    );
    await bothNodes('anything.lab.test', '192.0.2.77');
    await bothNodes('static.example', '192.0.2.55');
    assert.deepEqual(lines(say('resolver', 'resolve-musl', 'anything.lab.test', 'static.example.', '192.0.2.55')), [
      'anything.lab.test 192.0.2.77',
      'static.example. 192.0.2.55',
      '192.0.2.55 static.example',
    ]);
  });

  test('one that is wrong changes nothing, and describe says where and why', async () => {
    edit('s/^\\( *\\)loadbalance/\\1frobnicate/');
    await eventually(() => {
      const text = cluster.get('-n', 'kube-system', 'describe', 'configmap', 'coredns');
      for (const node of ['node01', 'node02'])
        assert.match(
          text,
          new RegExp(`Warning +InvalidCorefile .* not taken on ${node}, .*Corefile:\\d+: unknown plugin "frobnicate"`),
        );
    });
    assert.match(
      cluster.fairway('logs', 'node01', '--tail', '50').stdout,
      /Corefile:\d+: unknown plugin \\?"frobnicate/,
    );
    await bothNodes('anything.lab.test', '192.0.2.77');
    assert.equal(say('resolver', 'resolve-glibc', 'my-nginx').trim(), `my-nginx ${addressOf('my-nginx')}`);
  });

  test('a deleted one is made anew, and is the default', async () => {
    cluster.get('-n', 'kube-system', 'delete', 'configmap', 'coredns');
    await eventually(() => {
      const corefile = cluster.get(
        '-n',
        'kube-system',
        'get',
        'configmap',
        'coredns',
        '-o',
        'jsonpath={.data.Corefile}',
      );
      assert.doesNotMatch(corefile, /lab\.test|frobnicate/);
    });
    await eventually(() => {
      assert.doesNotMatch(
        cluster.outside('dig', '+short', '+time=2', '+tries=1', '@172.30.0.11', 'anything.lab.test').stdout,
        /192\.0\.2\.77/,
      );
    });
    assert.equal(say('resolver', 'resolve-glibc', 'my-nginx').trim(), `my-nginx ${addressOf('my-nginx')}`);
  });
});

describeExplained(cluster, 'resolver');
describeNearby(cluster);

test('fairway dns answers for the cluster from a machine beside it, by a kubeconfig', async (t) => {
  const flags = ['--kubeconfig', cluster.env['KUBECONFIG'] ?? '', '--bind', '172.30.0.1', '--port', '1053'];
  const alone = spawn(FAIRWAY, ['dns', '-conf', '-', ...flags], { stdio: ['pipe', 'ignore', 'pipe'] });
  t.after(() => alone.kill('SIGKILL'));
  alone.stdin.end('.:53 {\n    kubernetes cluster.local in-addr.arpa {\n        pods verified\n    }\n}\n');
  await once(alone.stderr, 'data');
  const ask = (...args: string[]) =>
    must(cluster.outside('dig', '+short', '-p', '1053', '@172.30.0.1', ...args)).trim();
  const peer = podIp('peer');
  await eventually(() => {
    assert.equal(ask('my-nginx.default.svc.cluster.local'), addressOf('my-nginx'));
  });
  assert.equal(ask(`${peer.replaceAll('.', '-')}.default.pod.cluster.local`), peer);
  assert.equal(ask('10-244-9-9.default.pod.cluster.local'), '');
  alone.kill('SIGTERM');
  assert.deepEqual(await once(alone, 'exit'), [0, null]);
});
