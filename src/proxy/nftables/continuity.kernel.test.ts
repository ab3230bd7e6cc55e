import { testContinuity } from '../scenarios/continuity-suite.ts';

testContinuity({
  mode: 'nftables',
  switchTo: ['iptables', 'userspace'],
  flush: { command: ['nft', 'flush', 'ruleset'] },
  outage: 200,
});
