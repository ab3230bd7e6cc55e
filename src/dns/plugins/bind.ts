/** `bind ADDRESS|INTERFACE...`: where to listen, instead of at the addresses the program was started with. */
import { networkInterfaces } from 'node:os';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Directive } from '../corefile/directive.ts';
import { expectArgs, readOptions, refuse } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';

/** Addresses by the name of the interface that has them. */
export type Interfaces = Readonly<Record<string, readonly string[]>>;

export const bindPlugin: Plugin = {
  name: 'bind',
  // What it says was read before the others were set up: they are told where they are.
  setup: () => ({}),
};

/** Of several lines all count. @throws CorefileError */
export function boundAddresses(directives: readonly Directive[], interfaces: Interfaces = ownInterfaces()): string[] {
  const addresses = directives.flatMap((directive) => {
    const named = expectArgs(directive, 1, Infinity, 'addresses or names of interfaces').flatMap((arg) =>
      addressesOf(directive, arg, interfaces),
    );
    const except = new Set<string>();
    readOptions(directive, {
      except(option) {
        for (const arg of expectArgs(option, 1, Infinity, 'addresses or names of interfaces')) {
          for (const address of addressesOf(directive, arg, interfaces)) except.add(address);
        }
      },
    });
    return named.filter((address) => !except.has(address));
  });
  const [first] = directives;
  if (first && addresses.length === 0) refuse(first, 'no address is left to listen at');
  return [...new Set(addresses)];
}

function addressesOf(directive: Directive, arg: string, interfaces: Interfaces): readonly string[] {
  const ip = parseIp(arg);
  if (ip) return [formatIp(ip)];
  const own = Object.hasOwn(interfaces, arg) ? interfaces[arg] : undefined;
  if (!own) refuse(directive, `${arg} is neither an address nor an interface of this machine`);
  return own;
}

function ownInterfaces(): Interfaces {
  return Object.fromEntries(
    Object.entries(networkInterfaces()).map(([name, addresses = []]) => [
      name,
      addresses.map(({ address }) => address),
    ]),
  );
}
