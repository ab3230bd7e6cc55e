import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostError } from '../../host/exec.ts';
import { FakeIptables } from '../../host/iptables-fake.ts';
import { loadScenario, scenarios } from '../scenarios/index.ts';
import type { ServicePort } from '../plan/types.ts';
import { IptablesApplier } from './apply.ts';
import { ALL_FEATURES } from './features.ts';
import { probeFeatures } from './probe.ts';

const plan = loadScenario(scenarios.find((one) => one.name === 'cluster-ip') as never).plan;
const [port] = plan.servicePorts;
assert.ok(port);
const named = (service: string, more: Partial<ServicePort>): ServicePort => ({
  ...port,
  service,
  name: `default/${service}:`,
  ...more,
});

describe('features that may be missing (trap T25)', () => {
  it('are all found on a machine that has them, with one try', async () => {
    const iptables = new FakeIptables();
    let tries = 0;
    const test = iptables.test.bind(iptables);
    iptables.test = (text) => {
      tries++;
      return test(text);
    };
    assert.deepEqual(await probeFeatures(iptables), ALL_FEATURES);
    assert.equal(tries, 1);
  });

  for (const [feature, word] of [
    ['randomFully', '--random-fully'],
    ['recent', '-m recent'],
    ['sctp', '-m sctp'],
  ] as const) {
    it(`are found missing one by one: ${feature}`, async () => {
      const iptables = new FakeIptables();
      iptables.refuse = (line) => line.includes(word);
      assert.deepEqual(await probeFeatures(iptables), { ...ALL_FEATURES, [feature]: false });
    });
  }

  it('are not at fault on a machine that refuses everything', async () => {
    const iptables = new FakeIptables();
    iptables.test = () => Promise.reject(new HostError(['unshare'], 'exit code 1', 1, 'Operation not permitted'));
    assert.deepEqual(await probeFeatures(iptables), ALL_FEATURES);
  });

  it('cost only the Services that need them, which are named with the reason', async () => {
    const iptables = new FakeIptables();
    iptables.refuse = (line) => /--random-fully|-m recent|-m sctp/.test(line);
    const features = await probeFeatures(iptables);
    const ports = [named('sticky', { affinitySeconds: 10 }), named('streams', { protocol: 'SCTP' }), named('web', {})];
    const { refused } = await new IptablesApplier(iptables, { features }).sync({ ...plan, servicePorts: ports });
    assert.deepEqual(
      refused.map((one) => `${one.service}: ${one.message}`),
      [
        'sticky: port default/sticky: (TCP): this kernel or iptables lacks the match "recent", which sessionAffinity is made of',
        'streams: port default/streams: (SCTP): this kernel or iptables lacks the match "sctp"',
      ],
    );
    assert.match(iptables.dump(), /-j KUBE-SVC-\S+\n/);
    assert.match(iptables.dump(), /-j MASQUERADE\n/);
    assert.equal(iptables.restored.length, 1, 'nothing had to fail first');
  });
});
