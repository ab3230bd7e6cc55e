/** What a hosts file answers. Pure. */
import type { Query, Reply } from '../../plugin.ts';
import { addressOfReverse } from '../../wire/reverse-name.ts';
import { RCODE, replyTo, TYPE, type Record } from '../../wire/message.ts';
import { longestZone } from '../../routing/zone-list.ts';
import { hostAddresses, hostNames, type HostsTable } from './hosts-table.ts';
import type { HostsOptions } from './options.ts';

/** Undefined: the next plugin is to be asked. */
export function answerFromHosts(table: HostsTable, options: HostsOptions, query: Query): Reply | undefined {
  const { name, type } = query.question;
  const isOwn = longestZone(options.zones, name) !== undefined;
  if (type === TYPE.PTR && addressOfReverse(name)) {
    // Reverse names need not be in the zones, and one that no line gives is always another's business.
    const names = options.hasReverse ? hostNames(table, name) : undefined;
    return (
      names &&
      answered(
        query,
        names.map((target) => ({ name, ttl: options.ttl, type, target })),
      )
    );
  }
  if (!isOwn) return undefined;
  const addresses = hostAddresses(table, name);
  if (!addresses) return options.fallthrough(name) ? undefined : missing(query);
  if (type !== TYPE.A && type !== TYPE.AAAA) {
    const passes = options.fallsThroughUnsupported && options.fallthrough(name);
    return passes ? undefined : answered(query, []);
  }
  const own = addresses.filter((address) => address.includes(':') === (type === TYPE.AAAA));
  return answered(
    query,
    own.map((address) => ({ name, ttl: options.ttl, type, address })),
  );
}

const answered = ({ message }: Query, answers: readonly Record[]): Reply => ({
  message: { ...replyTo(message, RCODE.NOERROR), authoritative: true, answers },
  from: 'hosts',
});

/** A denial would need a SOA to say how long it holds, and a hosts file has none: SERVFAIL, as CoreDNS says it. */
const missing = ({ message }: Query): Reply => ({
  message: replyTo(message, RCODE.SERVFAIL),
  from: 'hosts',
  transient: true,
});
