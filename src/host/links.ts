/** Network namespaces, links, addresses and routes through `ip`: commands are batched, one process for each namespace. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { exec, type Exec } from './exec.ts';

const NETNS = '/run/netns';

export function namespaceExists(name: string): boolean {
  return existsSync(`${NETNS}/${name}`);
}

export function namespacesStartingWith(prefix: string): string[] {
  try {
    return readdirSync(NETNS).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

/** Asks /proc rather than /sys: /sys shows the links of the namespace it was mounted in, /proc those of the process. */
export function linkExists(name: string): boolean {
  return readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .some((line) => line.trimStart().startsWith(`${name}:`));
}

export class Links {
  readonly #run: Exec;
  constructor(run: Exec = exec) {
    this.#run = run;
  }

  async addNamespace(name: string): Promise<void> {
    await this.#run('ip', ['netns', 'add', name]);
  }

  async deleteNamespace(name: string): Promise<void> {
    await this.#run('ip', ['netns', 'delete', name]);
  }

  /** Runs lines of `ip` commands in one process; in namespace `name`, or in our own where undefined. Stops at the first that fails. */
  async batch(name: string | undefined, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    await this.#run('ip', [...(name === undefined ? [] : ['-n', name]), '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
    });
  }

  /** Whether link `name` has the address `cidr` and a carrier, which a veth has once both its ends are up. */
  async isConnected(namespace: string | undefined, name: string, cidr: string): Promise<boolean> {
    const where = namespace === undefined ? [] : ['-n', namespace];
    const shown = await this.#run('ip', [...where, '-j', '-4', 'addr', 'show', 'dev', name]).catch(() => undefined);
    const [link] = JSON.parse(shown?.stdout.trim() || '[]') as [ShownLink?]; // no such link: an error, or no answer
    return (link?.flags.includes('LOWER_UP') ?? false) && addressesOf(link).includes(cidr);
  }

  /** Destinations of the routes in `namespace`, as `ip` spells them: `default`, `10.96.0.0/16`. */
  async destinations(namespace: string): Promise<string[]> {
    const { stdout } = await this.#run('ip', ['-n', namespace, '-j', '-4', 'route', 'show']);
    return (JSON.parse(stdout.trim() || '[]') as { dst: string }[]).map(({ dst }) => dst);
  }

  /** Links of the own namespace with their hardware and IPv4 addresses. */
  async list(): Promise<{ name: string; mac: string; addresses: string[] }[]> {
    const { stdout } = await this.#run('ip', ['-j', 'addr', 'show']);
    const links = JSON.parse(stdout) as ShownLink[];
    return links.map((link) => ({ name: link.ifname, mac: link.address ?? '', addresses: addressesOf(link) }));
  }
}

interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly address?: string;
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
}

function addressesOf(link: ShownLink | undefined): string[] {
  return (link?.addr_info ?? [])
    .filter(({ family }) => family === 'inet')
    .map(({ local, prefixlen }) => `${local}/${String(prefixlen)}`);
}
