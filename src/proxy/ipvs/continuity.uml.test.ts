import { testContinuity } from '../scenarios/continuity-suite.ts';

testContinuity({
  mode: 'ipvs',
  switchTo: ['iptables'],
  // a start takes ten times as long there
  restarts: 1,
  pace: 4,
  flush: { command: ['ipvsadm', '-C'] },
  outage: 200,
  excused: {
    'feels a foreign flush only for a moment':
      'times under User-Mode Linux mean nothing; that it is mended is in behaviour.uml.test.ts',
  },
});
