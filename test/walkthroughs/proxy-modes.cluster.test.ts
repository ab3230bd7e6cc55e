/**
 * The same walkthroughs in other proxy modes, on a cluster whose nodes have each their own: what people see on a node (W2, W19), node
 * ports (W6), session affinity (W13) and a Pod that reaches itself (W20). ipvs (W18) is proved under User-Mode Linux.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Cluster, eventually, must } from '../support/cluster.ts';

const cluster = new Cluster('m');
const NODES = ['node01', 'node02'] as const;

before(() => {
  must(cluster.up('--node', 'node02:proxy-mode=iptables'));
  cluster.applyFile('hostnames.yaml');
  cluster.waitRollout('hostnames');
  cluster.get(
    'expose',
    'deployment',
    'hostnames',
    '--name=outside',
    '--type=NodePort',
    '--port=80',
    '--target-port=9376',
  );
});
after(() => {
  cluster.stop();
});

const clusterIP = (service: string) => cluster.jsonpath('{.spec.clusterIP}', 'svc', service);
const pods = () => cluster.jsonpath('{.items[*].metadata.name}', 'pods', '-l', 'app=hostnames').split(' ').sort();

/** The different answers of so many requests, sorted. */
function answers(node: string, url: string, times: number): string[] {
  const script = `i=0; while [ $i -lt ${String(times)} ]; do curl -sS --max-time 5 $0; i=$((i+1)); done`;
  const lines = must(cluster.onNode(node, 'sh', '-c', script, url))
    .trim()
    .split('\n');
  assert.equal(lines.length, times);
  return [...new Set(lines)].sort();
}

describe('nodes of different modes side by side', () => {
  test('status tells who has which', () => {
    assert.match(must(cluster.fairway('status')), /Proxy mode +nftables \(node02: iptables\)/);
  });

  test('on the nftables node one map names the Service and another its endpoints', async () => {
    const map = (name: string) => must(cluster.onNode('node01', 'nft', 'list', 'map', 'ip', 'kube-proxy', name));
    const ip = clusterIP('hostnames');
    await eventually(() => {
      assert.match(map('service-ips'), new RegExp(`${ip} \\. tcp \\. 80 comment "default/hostnames:default" : goto `));
      assert.equal(
        map('service-endpoints').match(new RegExp(`${ip} \\. tcp \\. 80 \\. \\d+ : 10\\.244\\.`, 'g'))?.length,
        3,
      );
    });
  });

  test('on the iptables node the chains of tutorials', async () => {
    await eventually(() => {
      assert.match(
        must(cluster.onNode('node02', 'iptables-save', '-t', 'nat')),
        /-A KUBE-SVC-ODX2UBAZM7RQWOIU .*KUBE-SEP-/,
      );
    });
  });

  for (const node of NODES) {
    test(`${node}: every Pod answers by cluster IP`, async () => {
      await eventually(() => {
        assert.deepEqual(answers(node, clusterIP('hostnames'), 40), pods());
      });
    });

    test(`${node}: the node port answers from outside, on the node's address and on loopback`, async () => {
      const port = cluster.jsonpath('{.spec.ports[0].nodePort}', 'svc', 'outside');
      const ip = cluster.jsonpath('{.status.addresses[?(@.type=="InternalIP")].address}', 'node', node);
      await eventually(() => {
        assert.ok(pods().includes(must(cluster.outside('curl', '-sS', '--max-time', '5', `${ip}:${port}`)).trim()));
      });
      for (const address of [ip, '127.0.0.1']) {
        assert.deepEqual(answers(node, `${address}:${port}`, 40), pods(), address);
      }
    });
  }
});

describe('W13: session affinity', () => {
  before(() => {
    cluster.applyFile('session-affinity.yaml');
  });

  for (const node of NODES) {
    test(`${node}: a client stays with its Pod, and is let go after the time-out`, async () => {
      const ip = clusterIP('hostnames-sticky');
      await eventually(() => {
        assert.equal(answers(node, ip, 15).length, 1);
      });
      const remembered = () =>
        node === 'node01'
          ? must(cluster.onNode(node, 'nft', 'list', 'map', 'ip', 'kube-proxy', 'affinity')).includes(`. ${ip} .`)
          : must(cluster.onNode(node, 'sh', '-c', 'cat /proc/net/xt_recent/KUBE-SEP-*')).includes('src=');
      assert.ok(remembered());
      // 10 s by its manifest. xt_recent forgets when it is next asked, so there the answers must tell
      const start = Date.now();
      const seen = new Set<string>();
      await eventually(
        () => {
          if (node === 'node01') assert.ok(!remembered());
          else for (const answer of answersAfter(node, ip, 11)) seen.add(answer);
          assert.ok(node === 'node01' || seen.size > 1);
        },
        120_000,
        500,
      );
      if (node === 'node01') assert.ok(Date.now() - start > 5_000, 'not at once');
    });
  }

  /** One answer after so many seconds of silence. */
  function answersAfter(node: string, ip: string, seconds: number): string[] {
    return must(cluster.onNode(node, 'sh', '-c', 'sleep $1; curl -sS --max-time 5 $0', ip, String(seconds)))
      .trim()
      .split('\n');
  }
});

describe('W20: a Pod of the Service reaches the Service', () => {
  test('always answered, also when it is sent back to itself', () => {
    const ip = clusterIP('hostnames');
    for (const pod of pods()) {
      const script = 'i=0; while [ $i -lt 30 ]; do wget -q -O - http://$0; echo; i=$((i+1)); done';
      const lines = cluster.get('exec', pod, '--', 'sh', '-c', script, ip).split('\n').filter(Boolean);
      assert.equal(lines.length, 30, pod);
      assert.deepEqual([...new Set(lines)].sort(), pods());
    }
  });
});

describe('W19: userspace mode', () => {
  before(() => {
    must(cluster.up('--node', 'node01:proxy-mode=userspace', '--node', 'node02:proxy-mode=nftables'));
  });

  test('rules lead to one proxy port, which answers, and the log tells the endpoints', async () => {
    const ip = clusterIP('hostnames');
    const rules = await eventually(() => {
      const all = must(cluster.onNode('node01', 'iptables-save', '-t', 'nat')).split('\n');
      const mine = all.filter((line) => line.includes('default/hostnames:default'));
      assert.equal(mine.length, 2, mine.join('\n'));
      return mine;
    });
    const redirect = /-A KUBE-PORTALS-CONTAINER -d (\S+)\/32 .* --dport 80 -j REDIRECT --to-ports (\d+)/;
    const [, address, port = ''] = rules.map((line) => redirect.exec(line)).find((match) => match) ?? [];
    assert.equal(address, ip);
    const host = new RegExp(
      `-A KUBE-PORTALS-HOST -d ${ip}/32 .* -j DNAT --to-destination 172\\.30\\.\\d+\\.11:${port}$`,
    );
    assert.ok(
      rules.some((line) => host.test(line)),
      rules.join('\n'),
    );
    assert.deepEqual(answers('node01', `localhost:${port}`, 12), pods());
    assert.deepEqual(answers('node01', ip, 12), pods());
    assert.match(
      must(cluster.fairway('logs', 'node01')),
      /Setting endpoints for default\/hostnames:default to \[10\.244\.\d+\.\d+:9376 10\.244\.\d+\.\d+:9376 10\.244\.\d+\.\d+:9376\]/,
    );
  });

  test('what the modes before had written is gone from both nodes', async () => {
    await eventually(() => {
      assert.equal(must(cluster.onNode('node01', 'nft', 'list', 'tables')).includes('kube-proxy'), false);
      assert.doesNotMatch(must(cluster.onNode('node02', 'iptables-save')), /KUBE-SVC/);
    });
    assert.deepEqual(answers('node02', clusterIP('hostnames'), 40), pods());
  });

  test('a mode this kernel has no means for is refused with what is missing, and nothing changes', () => {
    const { code, stderr } = cluster.up('--proxy-mode', 'ipvs', '--node', 'node01:proxy-mode=userspace');
    if (code === 0) return; // a kernel with IPVS
    assert.match(stderr, /the kernel has no (?:dummy devices|IP virtual servers) \(CONFIG_\w+\)/);
    assert.match(must(cluster.fairway('status')), /Proxy mode +nftables \(node01: userspace, node02: nftables\)/);
  });
});
