/** Which servers to ask about the rest of the world: the `nameserver` lines of a resolv.conf. Pure. */
import { formatIp, parseIp } from '../../../lib/ip.ts';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** More are not asked: CoreDNS draws the line there too (feature 4-051). */
const MOST = 15;

/** @param own addresses this server listens on: asking oneself would never end */
export function parseUpstreams(resolvConf: string, own: readonly string[] = []): Upstream[] {
  const addresses = resolvConf.split('\n').flatMap((line) => {
    const [keyword, value = ''] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    // A zone (`fe80::1%eth0`) is the kernel's business: the address alone would not lead there.
    const ip = keyword === 'nameserver' ? parseIp(value) : undefined;
    return ip ? [formatIp(ip)] : [];
  });
  return [...new Set(addresses)]
    .filter((address) => !own.includes(address))
    .slice(0, MOST)
    .map((address) => ({ address, port: 53 }));
}
