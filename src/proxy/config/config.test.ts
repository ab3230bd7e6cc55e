import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { API_VERSION, KIND, renderProblem, SHAPE, type Shape } from './configuration.ts';
import { DEFAULTS, renderConfiguration, withDefaults } from './defaults.ts';
import { decodeConfiguration } from './decode.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { CONFIG_FLAGS } from './flags.ts';
import { loadConfiguration } from './load.ts';
import { proxyOptionsOf } from './options.ts';

const HEAD = `apiVersion: ${API_VERSION}\nkind: ${KIND}\n`;
const load = (file: string, flags: Record<string, string | true> = {}) =>
  loadConfiguration({ file: HEAD + file, flags: new Map(Object.entries(flags)) });
const byFlags = (flags: Record<string, string | true>) => loadConfiguration({ flags: new Map(Object.entries(flags)) });
const said = (problems: readonly Parameters<typeof renderProblem>[0][]) =>
  problems.map((one) => `${one.fatal ? 'fatal' : 'left out'} ${renderProblem(one)}`);

describe('durations', () => {
  const cases: [text: string, ms: number | undefined, printed?: string][] = [
    ['30s', 30_000, '30s'],
    ['15m', 900_000, '15m0s'],
    ['1h0m0s', 3_600_000, '1h0m0s'],
    ['1.5h', 5_400_000, '1h30m0s'],
    ['250ms', 250, '250ms'],
    ['1500μs', 1.5, '1.5ms'],
    ['1m1.5s', 61_500, '1m1.5s'],
    ['0', 0, '0s'],
    ['-5s', -5000, '-5s'],
    ['30', undefined],
    ['', undefined],
    ['s', undefined],
    ['5 s', undefined],
    ['1h5', undefined],
  ];
  for (const [text, ms, printed] of cases) {
    it(`"${text}" is ${ms === undefined ? 'none' : `${String(ms)} ms`}`, () => {
      assert.equal(parseDuration(text), ms);
      if (ms !== undefined) assert.equal(formatDuration(ms), printed);
    });
  }

  it('what is printed is read as the same', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e10 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});

describe('a configuration file', () => {
  it('that tells nothing is all defaults, as kube-proxy has them', () => {
    const { config, problems } = load('');
    assert.deepEqual(problems, []);
    assert.deepEqual(config, DEFAULTS);
    // 3-153..3-173
    assert.equal(config.healthzBindAddress, '0.0.0.0:10256');
    assert.equal(config.metricsBindAddress, '127.0.0.1:10249');
    assert.equal(config.iptables.masqueradeBit, 14);
    assert.equal(config.conntrack.tcpCloseWaitTimeout, 3_600_000);
    assert.equal(config.oomScoreAdj, -999);
  });

  it('is read as a whole', () => {
    const { config, problems } = load(`
bindAddress: "fd00::1"
clientConnection: { kubeconfig: /etc/kubernetes/proxy.conf, qps: 2.5 }
hostnameOverride: " Node01 "
mode: ipvs
iptables: { masqueradeBit: 3, masqueradeAll: true, localhostNodePorts: false, syncPeriod: 1h0m0s, minSyncPeriod: 5s }
ipvs: { scheduler: mh, strictARP: true, excludeCIDRs: [10.1.0.0/16], tcpTimeout: 15m }
detectLocalMode: BridgeInterface
detectLocal: { bridgeInterface: cni0 }
nodePortAddresses: [192.168.0.0/24, primary]
conntrack: { maxPerCore: 0, tcpBeLiberal: false, udpStreamTimeout: 2m0s }
featureGates: { AllowServiceExternalIPs: false }
`);
    assert.deepEqual(problems, []);
    assert.equal(config.healthzBindAddress, '[::]:10256');
    assert.equal(config.metricsBindAddress, '[::1]:10249');
    assert.equal(config.hostnameOverride, 'node01');
    assert.equal(config.clientConnection.burst, 10);
    const options = proxyOptionsOf(config, ['172.30.0.11', 'fd00::11']);
    assert.equal(options.mode, 'ipvs');
    assert.equal(options.allowExternalIPs, false);
    assert.deepEqual(options.detectLocal, { mode: 'BridgeInterface', bridgeInterface: 'cni0' });
    assert.deepEqual(options.nodePortAddresses, ['192.168.0.0/24', '172.30.0.11/32', 'fd00::11/128']);
    assert.equal(options.ipvs?.scheduler, 'mh');
    assert.equal(options.ipvs.tcpTimeout, 900);
    assert.equal(options.syncPeriod, 30_000);
    assert.equal(options.masqueradeBit, 3);
    assert.equal(options.conntrack?.tcpBeLiberal, false);
    assert.equal(options.conntrack.udpStreamTimeout, 120);
  });

  it('names every unknown field and takes all the others', () => {
    const { config, problems } = load(
      'mode: iptables\nfrobnicate: 1\niptables: { SyncPeriod: 5s, masqueradeBit: 5 }\n',
    );
    assert.deepEqual(said(problems), [
      'left out frobnicate: unknown field, ignored',
      'left out iptables.SyncPeriod: unknown field, ignored (did you mean syncPeriod?)',
    ]);
    assert.equal(config.mode, 'iptables');
    assert.equal(config.iptables.masqueradeBit, 5);
  });

  it('without a mode gets nftables, with node ports on the primary address', () => {
    const { config } = load('');
    const options = proxyOptionsOf(config, ['172.30.0.11']);
    assert.equal(options.mode, 'nftables');
    assert.deepEqual(options.nodePortAddresses, ['primary']);
    assert.deepEqual(proxyOptionsOf(load('mode: iptables').config, []).nodePortAddresses, []);
  });

  const CASES: [file: string, problems: string[]][] = [
    ['mode: userspace', []],
    ['mode: magic', ['fatal mode: magic must be nftables, iptables, ipvs, userspace, or empty for the default']],
    [
      'mode: kernelspace',
      ['fatal mode: kernelspace is for Windows; must be nftables, iptables, ipvs, userspace, or empty for the default'],
    ],
    ['bindAddress: here', ['fatal bindAddress: here is no IP address']],
    ['healthzBindAddress: 10.0.0.1', []],
    ['healthzBindAddress: "[fd00::1]"', []],
    [
      'metricsBindAddress: "0.0.0.0:0"',
      ['fatal metricsBindAddress: 0.0.0.0:0 must be IP:port such as 127.0.0.1:10249 or [::1]:10249'],
    ],
    [
      'metricsBindAddress: "localhost:1"',
      ['fatal metricsBindAddress: localhost:1 must be IP:port such as 127.0.0.1:10249 or [::1]:10249'],
    ],
    ['iptables: { masqueradeBit: 32 }', ['fatal iptables.masqueradeBit: must be within 0 to 31']],
    ['iptables: { masqueradeBit: "14" }', ['fatal iptables.masqueradeBit: must be a whole number']],
    ['iptables: { syncPeriod: 30 }', ['fatal iptables.syncPeriod: must be a duration such as 30s, 15m or 1h0m0s']],
    [
      'iptables: { syncPeriod: -1s }',
      [
        'fatal iptables.syncPeriod: must be greater than 0',
        'fatal iptables.minSyncPeriod: must not be greater than syncPeriod',
      ],
    ],
    ['iptables: { syncPeriod: 0s }', []],
    ['nftables: { minSyncPeriod: 1m }', ['fatal nftables.minSyncPeriod: must not be greater than syncPeriod']],
    ['clusterCIDR: pods', ['left out clusterCIDR: pods is no range such as 10.244.0.0/16; left out']],
    ['clusterCIDR: 10.244.0.0/16,fd00::/48', []],
    [
      'clusterCIDR: 10.244.0.0/16,10.0.0.0/8',
      ['left out clusterCIDR: 10.0.0.0/8 is a second IPv4 range; only the first is used'],
    ],
    [
      'nodePortAddresses: [10.0.0.0/33]',
      [
        'left out nodePortAddresses[0]: 10.0.0.0/33 is neither a range such as 192.168.0.0/24 nor primary, localhost, all; left out',
      ],
    ],
    ['nodePortAddresses: 10.0.0.0/8', ['fatal nodePortAddresses: must be a list of texts']],
    ['ipvs: { excludeCIDRs: [x] }', []],
    ['mode: ipvs\nipvs: { excludeCIDRs: [x] }', ['fatal ipvs.excludeCIDRs[0]: x is no range such as 10.0.0.0/8']],
    [
      'mode: ipvs\nipvs: { scheduler: "rr; reboot" }',
      ['fatal ipvs.scheduler: rr; reboot must be the name of a scheduler such as rr, wrr, lc, sh or mh'],
    ],
    [
      'detectLocalMode: Guess',
      ['fatal detectLocalMode: Guess must be one of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix'],
    ],
    [
      'detectLocalMode: BridgeInterface',
      [
        'fatal detectLocal.bridgeInterface: must be a name of at most 15 characters when detectLocalMode is BridgeInterface',
      ],
    ],
    [
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: { interfaceNamePrefix: "x\\" accept" }',
      [
        'fatal detectLocal.interfaceNamePrefix: must be a name of at most 15 characters when detectLocalMode is InterfaceNamePrefix',
      ],
    ],
    ['portRange: x', []],
    [
      'mode: userspace\nportRange: 9000-8000',
      ['fatal portRange: 9000-8000 must be LOW-HIGH or LOW+SIZE within 1 to 65535, or empty'],
    ],
    ['mode: userspace\nportRange: 8000-9000', []],
    ['oomScoreAdj: 2000', ['fatal oomScoreAdj: must be within -1000 to 1000']],
    ['conntrack: { maxPerCore: -1 }', ['fatal conntrack.maxPerCore: must not be less than 0']],
    ['conntrack: 5', ['fatal conntrack: must be a map']],
    ['featureGates: { Fancy: true }', ['left out featureGates.Fancy: changes nothing here']],
    ['featureGates: { Fancy: 1 }', ['fatal featureGates: must be a map of true and false']],
    ['mode: iptables\nmode: ipvs', ['left out line 4: a field is there twice; the last one counts']],
    [
      'mode: [',
      [
        'fatal this is no YAML: Flow sequence in block collection must be sufficiently indented and end with a ] at line 3, column 8',
      ],
    ],
    ['winkernel: { networkName: x }\nlogging: { format: json }\nportRange: ""\nconfigSyncPeriod: 15m0s', []],
  ];
  for (const [file, expected] of CASES) {
    it(`${JSON.stringify(file)} has ${expected.length === 0 ? 'no problem' : `the problem ${expected.join('; ')}`}`, () => {
      assert.deepEqual(said(load(file).problems), expected);
    });
  }

  it('of another kind is refused', () => {
    for (const text of ['apiVersion: v1\nkind: Pod\n', '', 'just text', '[]']) {
      const { problems } = decodeConfiguration(text);
      assert.match(
        problems.map(renderProblem).join(),
        /this is no KubeProxyConfiguration: apiVersion must be kubeproxy/,
      );
      assert.ok(problems[0]?.fatal);
    }
  });

  it('whatever its fields hold, never throws, and tells what it does not take', () => {
    const name = fc.constantFrom(...Object.keys(SHAPE), 'nonsense', '__proto__', 'constructor');
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue()), (fields) => {
        const text = JSON.stringify({ ...fields, apiVersion: API_VERSION, kind: KIND });
        const { config, problems } = loadConfiguration({ file: text, flags: new Map() });
        if (problems.some((one) => one.fatal)) return;
        proxyOptionsOf(config, ['172.30.0.11']);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('ranges that do not parse', () => {
  it('are left out while the other family is served', () => {
    const options = proxyOptionsOf(load('mode: iptables\nclusterCIDR: pods,fd00::5/48').config, []);
    assert.equal(options.clusterCidr, 'fd00::/48');
  });

  it('never makes the reader throw, nor a terminal obey', () => {
    const bomb = Array.from({ length: 9 }, (_, at) => {
      const aliases =
        at === 0
          ? 'x'
          : Array<string>(9)
              .fill(`*a${String(at - 1)}`)
              .join(',');
      return `a${String(at)}: &a${String(at)} [${aliases}]`;
    });
    const cases: [string, RegExp][] = [
      [bomb.join('\n'), /^fatal this is no YAML: Excessive alias count/],
      ['mode: *nobody', /^fatal this is no YAML: Unresolved alias/],
      ['__proto__: { mode: ipvs }', /^left out __proto__: unknown field, ignored$/],
      ['mode: "a\\e[31m\\nb"', /^fatal mode: a\?\[31m\?b must be nftables/],
      ['hostnameOverride: "a,b"', /^fatal hostnameOverride: a,b is no name of a Node$/],
    ];
    for (const [text, problem] of cases) assert.match(said(load(text).problems)[0] ?? '', problem);
    assert.equal(load('__proto__: { mode: ipvs }').config.mode, '');
  });

  it('never open node ports that were to be closed', () => {
    assert.deepEqual(proxyOptionsOf(load('nodePortAddresses: [nonsense]').config, []).nodePortAddresses, ['nonsense']);
  });
});

describe('flags', () => {
  it('are fields of the configuration', () => {
    const { config, problems } = byFlags({
      'proxy-mode': 'ipvs',
      'cluster-cidr': '10.244.0.0/16,fd00::/48',
      'hostname-override': 'NODE7',
      kubeconfig: '/k',
      'masquerade-all': true,
      'iptables-localhost-nodeports': 'false',
      'iptables-sync-period': '45s',
      'ipvs-exclude-cidrs': '10.0.0.0/8, 192.168.0.0/16',
      'nodeport-addresses': 'primary',
      'conntrack-max-per-core': '0',
      'oom-score-adj': '-5',
      'feature-gates': 'AllowServiceExternalIPs=false',
      'healthz-port': '0',
      'metrics-bind-address': '0.0.0.0:9000',
      'metrics-port': '9001',
    });
    assert.deepEqual(said(problems), []);
    assert.equal(config.mode, 'ipvs');
    assert.equal(config.hostnameOverride, 'node7');
    assert.equal(config.clientConnection.kubeconfig, '/k');
    assert.ok(config.iptables.masqueradeAll && config.nftables.masqueradeAll);
    assert.equal(config.iptables.localhostNodePorts, false);
    assert.deepEqual(
      [config.iptables.syncPeriod, config.nftables.syncPeriod, config.ipvs.syncPeriod],
      [45_000, 45_000, 30_000],
    );
    assert.deepEqual(config.ipvs.excludeCIDRs, ['10.0.0.0/8', '192.168.0.0/16']);
    assert.equal(config.oomScoreAdj, -5);
    assert.equal(config.healthzBindAddress, '');
    assert.equal(config.metricsBindAddress, '0.0.0.0:9001');
    assert.equal(proxyOptionsOf(config, []).healthzBindAddress, '');
  });

  it('are switched by all the words kube-proxy takes', () => {
    for (const word of ['1', 't', 'T', 'true', 'TRUE', 'True']) {
      assert.equal(byFlags({ 'masquerade-all': word }).config.iptables.masqueradeAll, true, word);
    }
    for (const word of ['0', 'f', 'F', 'false', 'FALSE', 'False']) {
      assert.equal(byFlags({ 'iptables-localhost-nodeports': word }).config.iptables.localhostNodePorts, false, word);
    }
  });

  it('that make no sense are told by their name', () => {
    const { problems } = byFlags({
      'masquerade-all': 'maybe',
      'conntrack-min': 'many',
      'iptables-sync-period': '30',
      'feature-gates': 'X',
      'cluster-cidr': true,
      'healthz-port': 'x',
    });
    assert.deepEqual(said(problems).sort(), [
      'fatal --cluster-cidr: must have a value',
      'fatal --conntrack-min: must be a whole number',
      'fatal --feature-gates: must be NAME=true,NAME=false,…',
      'fatal --healthz-port: must be a port',
      'fatal --iptables-sync-period: must be a duration such as 30s, 15m or 1h0m0s',
      'fatal --masquerade-all: must be true or false',
    ]);
  });

  it('beside a file are ignored and named, but for the name of the node', () => {
    const { config, problems } = load('mode: iptables', {
      'proxy-mode': 'ipvs',
      'cluster-cidr': '10.0.0.0/8',
      'hostname-override': 'other',
      kubeconfig: '/k',
    });
    assert.deepEqual(said(problems), ['left out --proxy-mode, --cluster-cidr: ignored: --config says everything']);
    assert.equal(config.mode, 'iptables');
    assert.equal(config.hostnameOverride, 'other');
    assert.equal(config.clientConnection.kubeconfig, '/k');
    assert.equal(
      load('clientConnection: { kubeconfig: /own }', { kubeconfig: '/k' }).config.clientConnection.kubeconfig,
      '/own',
    );
  });

  it('each set fields that exist', () => {
    for (const { flag, fields } of CONFIG_FLAGS) {
      for (const field of fields) {
        let shape: Shape | undefined = SHAPE;
        for (const name of field.split('.')) shape = typeof shape === 'object' ? shape[name] : undefined;
        assert.ok(typeof shape === 'string', `--${flag}: ${field}`);
      }
    }
  });
});

it('what is written is read as the same configuration', () => {
  const text = renderConfiguration(withDefaults({ mode: 'ipvs', conntrack: { tcpBeLiberal: true } }));
  assert.match(text, /^ {2}tcpEstablishedTimeout: 24h0m0s$/m);
  const { told, problems } = decodeConfiguration(text);
  assert.deepEqual(problems, []);
  assert.equal(renderConfiguration(withDefaults(told)), text);
});
