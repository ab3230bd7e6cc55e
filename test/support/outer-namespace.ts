/**
 * The guard of every test that touches a network: it must run in a namespace made for it (scripts/in-outer-namespace),
 * never in the machine's own. Throwing rather than skipping: a test that cannot run must be seen.
 */
import { readlinkSync } from 'node:fs';

export function requireOuterNamespace(): void {
  const outside = process.env['FAIRWAY_OUTER_OF'];
  if (outside === undefined || outside === readlinkSync('/proc/self/ns/net')) {
    throw new Error(
      'run this with scripts/in-outer-namespace: it changes network state and must not do so on the machine itself',
    );
  }
}
