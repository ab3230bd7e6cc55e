import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseCounters } from './iptables-counters.ts';

it('reads what iptables prints of a chain', () => {
  const text = `Chain KUBE-FORWARD (1 references)
    pkts      bytes target     prot opt in     out     source               destination         
      12      720 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate INVALID
 4294967296        0 ACCEPT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            /* a */ mark match 0x4000/0x4000
`;
  assert.deepEqual(parseCounters(text), [
    { packets: 12, text: 'DROP all -- * * 0.0.0.0/0 0.0.0.0/0 ctstate INVALID' },
    { packets: 4_294_967_296, text: 'ACCEPT all -- * * 0.0.0.0/0 0.0.0.0/0 /* a */ mark match 0x4000/0x4000' },
  ]);
  assert.deepEqual(parseCounters(''), []);
});
