/** Whether a registry could answer from this node: asked before a pull that would otherwise hang for its whole timeout. */
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { connect, isIP } from 'node:net';
import type { Clock } from '../lib/clock.ts';

export interface RegistryReach {
  /** The node has a way out at all. */
  hasRoute(): Promise<boolean>;
  /** The registry's port takes a connection. Remembered for a while. */
  answers(registry: string): Promise<boolean>;
}

const PROBE_TIMEOUT = 2000;
const REMEMBER_YES = 300_000;
const REMEMBER_NO = 30_000;

/** A default route in /proc/net/route (IPv4): destination and mask zero, up, and no reject route. */
export function hasDefaultRoute(table: string): boolean {
  return table.split('\n').some((line) => {
    const [device, destination, , flags = '0', , , , mask] = line.trim().split(/\s+/);
    const bits = Number.parseInt(flags, 16);
    return (
      device !== 'lo' && destination === '00000000' && mask === '00000000' && (bits & 1) === 1 && (bits & 0x200) === 0
    );
  });
}

/** A default route in /proc/net/ipv6_route. */
export function hasDefaultRoute6(table: string): boolean {
  return table.split('\n').some((line) => {
    const [destination = '', length, , , , , , , flags = '0', device] = line.trim().split(/\s+/);
    const bits = Number.parseInt(flags, 16);
    return (
      device !== 'lo' && /^0{32}$/.test(destination) && length === '00' && (bits & 1) === 1 && (bits & 0x200) === 0
    );
  });
}

/** Whether a registry may well be in reach without a default route: one named by address, as localhost or with a port of its own. */
export function isNearby(registry: string): boolean {
  const { host } = registryAddress(registry);
  return host === 'localhost' || isIP(host) > 0 || /:\d+$/.test(registry.replace(/^\[.*\]/, ''));
}

/** Host and port of a registry; the default one answers under another name. */
export function registryAddress(registry: string): { host: string; port: number } {
  const match = /^(.*?)(?::(\d+))?$/.exec(registry === 'docker.io' ? 'registry-1.docker.io' : registry);
  const host = (match?.[1] ?? registry).replace(/^\[|\]$/g, '');
  return { host, port: Number(match?.[2] ?? 443) };
}

/** Looks from the network namespace of this process, which is the node's. */
export function createRegistryReach(clock: Clock, env: NodeJS.ProcessEnv = process.env): RegistryReach {
  const known = new Map<string, { yes: boolean; until: number }>();
  return {
    async hasRoute() {
      const [four, six] = await Promise.all([
        readFile('/proc/net/route', 'utf8').catch(() => ''),
        readFile('/proc/net/ipv6_route', 'utf8').catch(() => ''),
      ]);
      return hasDefaultRoute(four) || hasDefaultRoute6(six);
    },
    async answers(registry) {
      // Behind a proxy the registry itself need not be in reach.
      if (env['HTTPS_PROXY'] || env['https_proxy']) return true;
      const before = known.get(registry);
      if (before && clock.now() < before.until) return before.yes;
      const yes = await accepts(registryAddress(registry));
      known.set(registry, { yes, until: clock.now() + (yes ? REMEMBER_YES : REMEMBER_NO) });
      return yes;
    },
  };
}

async function accepts({ host, port }: { host: string; port: number }): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, PROBE_TIMEOUT, false);
  });
  try {
    const tried = lookup(host).then(
      ({ address }) => opens(address, port),
      () => false,
    );
    return await Promise.race([late, tried]);
  } finally {
    clearTimeout(timer);
  }
}

function opens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_TIMEOUT });
    const end = (yes: boolean) => () => {
      resolve(yes);
      socket.destroy();
    };
    socket.on('connect', end(true)).on('error', end(false)).on('timeout', end(false));
  });
}
