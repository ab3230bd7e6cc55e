/** Finds out which features of iptables and the kernel are there. */
import { isLockFailure, type Iptables } from '../../host/iptables.ts';
import { ALL_FEATURES, type Features } from './features.ts';

const PROBES: Readonly<Record<keyof Features, string>> = {
  randomFully: '-A POSTROUTING -j MASQUERADE --random-fully\n',
  recent:
    '-A PREROUTING -m recent --name KUBE-PROBE --rcheck --seconds 1 --reap -j RETURN\n-A PREROUTING -m recent --name KUBE-PROBE --set -j RETURN\n',
  sctp: '-A PREROUTING -m sctp -p sctp --dport 1 -j RETURN\n',
};

/** Tries them in a scratch network namespace; nothing of the node is touched. All that it cannot find out counts as there. */
export async function probeFeatures(iptables: Iptables): Promise<Features> {
  const works = async (...rules: string[]) => {
    try {
      await iptables.test(`*nat\n${rules.join('')}COMMIT\n`);
      return true;
    } catch (error) {
      return isLockFailure(error);
    }
  };
  if (await works(...Object.values(PROBES))) return ALL_FEATURES;
  // a machine that refuses even an empty table would fail every probe, and no feature is at fault
  if (!(await works())) return ALL_FEATURES;
  const { randomFully, recent, sctp } = PROBES;
  return { randomFully: await works(randomFully), recent: await works(recent), sctp: await works(sctp) };
}
