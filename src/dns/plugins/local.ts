/** `local`: names that mean this machine are answered here and never asked of anybody else. */
import { Value } from '../../lib/prometheus.ts';
import { expectArgs, expectNoBody } from '../corefile/option.ts';
import type { Plugin, Query, Reply } from '../plugin.ts';
import { RCODE, replyTo, TYPE, type Record } from '../wire/message.ts';
import { longestZone } from '../routing/zone-list.ts';

const ZONES = ['localhost.', '0.in-addr.arpa.', '127.in-addr.arpa.', '255.in-addr.arpa.'];
/** A week. */
const TTL = 604_800;

export const localPlugin: Plugin = {
  name: 'local',
  setup(directives, { runtime: { metrics } }) {
    for (const directive of directives) {
      expectArgs(directive, 0, 0, 'nothing behind it');
      expectNoBody(directive);
    }
    const below = metrics.add(
      new Value('counter', 'coredns_local_localhost_requests_total', 'Questions for names below localhost.'),
    );
    return {
      transparent: true,
      wrap: (next) => (query) => {
        const { name } = query.question;
        const zone = longestZone(ZONES, name);
        if (zone === undefined) return next(query);
        if (zone === 'localhost.' && name.length > zone.length) below.add(1);
        return answered(query, zone);
      },
    };
  },
};

/** The zones hold next to nothing: what is not there is NODATA. */
function answered({ message, question }: Query, zone: string): Reply {
  const answers = recordsOf(question.name, question.type, zone);
  const authorities = answers.length === 0 ? [soa(zone)] : [];
  return {
    message: { ...replyTo(message, RCODE.NOERROR), authoritative: true, answers, authorities },
    from: 'local',
  };
}

function recordsOf(name: string, type: number, zone: string): Record[] {
  const lower = name.toLowerCase();
  const own = { name, ttl: TTL };
  if (type === TYPE.SOA && lower === zone) return [soa(zone)];
  if (type === TYPE.NS && lower === zone) return [{ ...own, type, target: 'localhost.' }];
  if (zone === 'localhost.' && type === TYPE.A) return [{ ...own, type, address: '127.0.0.1' }];
  if (zone === 'localhost.' && type === TYPE.AAAA) return [{ ...own, type, address: '::1' }];
  if (lower === '1.0.0.127.in-addr.arpa.' && type === TYPE.PTR) return [{ ...own, type, target: 'localhost.' }];
  return [];
}

const soa = (zone: string): Record => ({
  name: zone,
  ttl: TTL,
  type: TYPE.SOA,
  mname: 'localhost.',
  rname: 'root.localhost.',
  serial: 1,
  refresh: 0,
  retry: 0,
  expire: 0,
  minimum: TTL,
});
