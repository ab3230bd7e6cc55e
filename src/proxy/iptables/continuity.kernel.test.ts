import { testContinuity } from '../scenarios/continuity-suite.ts';

const input = ['mangle', 'filter', 'nat'].map((table) => `*${table}\nCOMMIT\n`).join('');

testContinuity({
  mode: 'iptables',
  title: 'iptables-legacy',
  switchTo: ['nftables', 'userspace'],
  flush: { command: ['iptables-legacy-restore'], input },
  outage: 200,
});

testContinuity({
  mode: 'iptables',
  title: 'iptables-nft',
  // as the kubelet does where the nft variant is the one in use (3-074)
  prepare: ['iptables-nft', '-w', '5', '-t', 'mangle', '-N', 'KUBE-IPTABLES-HINT'],
  switchTo: [],
  flush: { command: ['nft', 'flush', 'ruleset'] },
  outage: 200,
});
