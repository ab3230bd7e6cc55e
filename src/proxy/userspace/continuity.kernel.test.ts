import { testContinuity } from '../scenarios/continuity-suite.ts';

const input = ['mangle', 'filter', 'nat'].map((table) => `*${table}\nCOMMIT\n`).join('');
const why = 'a connection ends in a socket of the proxy, and that is gone until the next one listens';

testContinuity({
  mode: 'userspace',
  switchTo: [],
  flush: { command: ['iptables-legacy-restore'], input },
  outage: 200,
  excused: {
    'notices no proxy killed and started again': why,
    'notices no proxy stopped and started again': why,
  },
});
