import { testContinuity } from '../scenarios/continuity-suite.ts';

const input = ['mangle', 'filter', 'nat'].map((table) => `*${table}\nCOMMIT\n`).join('');

testContinuity({
  mode: 'userspace',
  relays: true,
  switchTo: [],
  flush: { command: ['iptables-legacy-restore'], input },
  outage: 200,
});
