/**
 * The `nameserver` lines of a resolv.conf as upstreams, and what is wrong with them. The classic trouble (users F29) is a file whose only server is
 * the machine's own: systemd-resolved's 127.0.0.53, or this server itself, which would be asked what it asks. Pure.
 */
import { formatIp, parseIp } from '../../../lib/ip.ts';
import type { Upstream } from './upstream.ts';

/** Where systemd-resolved writes the servers that stand behind its 127.0.0.53. */
export const BEHIND_STUB = '/run/systemd/resolve/resolv.conf';
const STUBS: readonly string[] = ['127.0.0.53', '127.0.0.54'];
/** More are not asked: CoreDNS draws the line there too (feature 4-051). */
export const MOST_UPSTREAMS = 15;

export interface ResolvConf {
  readonly upstreams: readonly Upstream[];
  /** True: a stub of systemd-resolved is among them, so the file `BEHIND_STUB` says better whom to ask. */
  readonly hasStub: boolean;
  /** What people should know about it, with what to do. */
  readonly remarks: readonly string[];
}

/** @param own addresses this server listens at, port 53: asking oneself would never end */
export function readResolvConf(text: string, file: string, own: readonly string[] = []): ResolvConf {
  const addresses = [...new Set(text.split('\n').flatMap(nameserver))];
  const others = addresses.filter((address) => !isOwn(address, own));
  const loopback = others.filter((address) => isLoopback(address) && !STUBS.includes(address));
  const remarks = addresses
    .filter((address) => isOwn(address, own))
    .map(
      (address) =>
        `${file} names ${address}, which is this server itself: it is not asked, that would be a loop. ${CURE}`,
    );
  if (loopback.length > 0) {
    remarks.push(
      `${file} names ${loopback.join(', ')}, a server on this machine: if that one forwards to this server, names go round in a loop. ${CURE}`,
    );
  }
  if (others.length > MOST_UPSTREAMS)
    remarks.push(`${file} names ${String(others.length)} servers: the first 15 are asked`);
  return {
    upstreams: others.slice(0, MOST_UPSTREAMS).map((address) => ({ transport: 'dns', address, port: 53 })),
    hasStub: others.some((address) => STUBS.includes(address)),
    remarks,
  };
}

const CURE = 'Name the real upstream servers there, or in the Corefile (forward . ADDRESS)';

/** What is said of a stub whose file of servers is not there. */
export const stubRemark = (file: string): string =>
  `${file} names a stub of systemd-resolved and there is no ${BEHIND_STUB}: if the stub forwards to this server, names go round in a loop. ${CURE}`;

function nameserver(line: string): string[] {
  const [keyword, value = ''] = line
    .replace(/[#;].*$/, '')
    .trim()
    .split(/\s+/);
  if (keyword !== 'nameserver') return [];
  const [, host = '', zone] = /^([^%]*)(?:%(.+))?$/.exec(value) ?? [];
  const ip = parseIp(host);
  if (!ip) return [];
  return [zone === undefined ? formatIp(ip) : `${formatIp(ip)}%${zone}`];
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/** Who listens at every address listens at those of the loopback link too. */
function isOwn(address: string, own: readonly string[]): boolean {
  if (own.includes(address)) return true;
  return isLoopback(address) && own.includes(address.includes(':') ? '::' : '0.0.0.0') && !STUBS.includes(address);
}

/** Whether asking there is asking oneself. @param ownPort of the server block that would ask */
export const isOneself = ({ transport, address, port }: Upstream, own: readonly string[], ownPort: number): boolean =>
  transport === 'dns' && port === ownPort && isOwn(address, own);
