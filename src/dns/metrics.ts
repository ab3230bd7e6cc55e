/** Figures with CoreDNS' names and labels (feature 4-062). They outlive a reload: counters only grow. */
import { exponentialBounds, Histogram, Value, type Labels, type NamedMetric } from '../lib/prometheus.ts';
import { rcodeName, typeName } from './wire/record-text.ts';

/** What tells one row of figures from another. */
export interface PacketLabels {
  /** As `Block.server`: `dns://:53`. */
  readonly server: string;
  /** The zone of the server block that the name is in. */
  readonly zone: string;
  readonly transport: 'udp' | 'tcp';
  /** Of the asker's address. */
  readonly family: 'IPv4' | 'IPv6';
  readonly type: number;
  /** The DO bit of the question. */
  readonly dnssecOk: boolean;
  readonly rcode: number;
  /** Who answered: `Reply.from`. */
  readonly plugin: string;
}

/** Prepared once for a row: counting looks nothing up and makes nothing. */
export interface PacketCounter {
  /** @param seconds from when the question came in until the answer went out */
  count(requestBytes: number, responseBytes: number, seconds: number): void;
}

const SIZES = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];
export const TIME_BOUNDS: readonly number[] = exponentialBounds(0.00025, 2, 16);

/** Types with a name of their own in `type`; the rest is `other`, or a client could make rows without end. */
const TYPES = new Set('A AAAA MX SOA CNAME PTR TXT NS SRV DS DNSKEY RRSIG NSEC NSEC3 HTTPS IXFR AXFR ANY'.split(' '));

export class DnsMetrics {
  readonly #metrics: NamedMetric[] = [];
  readonly #requests = this.add(new Value('counter', 'coredns_dns_requests_total', 'Questions by kind.', []));
  readonly #responses = this.add(new Value('counter', 'coredns_dns_responses_total', 'Answers by code.', []));
  readonly #dnssecRequests = this.add(
    new Value('counter', 'coredns_dns_do_requests_total', 'Questions with the DO bit.', []),
  );
  readonly #requestSizes = this.add(
    new Histogram('coredns_dns_request_size_bytes', 'Size of questions in bytes.', SIZES, []),
  );
  readonly #responseSizes = this.add(
    new Histogram('coredns_dns_response_size_bytes', 'Size of answers in bytes.', SIZES, []),
  );
  readonly #durations = this.add(
    new Histogram('coredns_dns_request_duration_seconds', 'From question to answer in seconds.', TIME_BOUNDS, []),
  );
  /** Questions that ended in an exception. */
  readonly panics = this.add(new Value('counter', 'coredns_panics_total', 'Questions that ended in an exception.'));
  readonly #prepared = new Map<string, PacketCounter>();

  /** A plugin's own figures; of two with one name the first stays, so that a reload goes on counting. */
  add<Kind extends NamedMetric>(metric: Kind): Kind {
    const known = this.#metrics.find(({ name }) => name === metric.name);
    if (known) return known as Kind;
    this.#metrics.push(metric);
    return metric;
  }

  /** The same object for the same labels. */
  forPacket(labels: PacketLabels): PacketCounter {
    const { server, zone, transport, family, type, dnssecOk, rcode, plugin } = labels;
    const key = [server, zone, transport, family, type, dnssecOk, rcode, plugin].join(' ');
    let counter = this.#prepared.get(key);
    if (!counter) this.#prepared.set(key, (counter = this.#prepare(labels)));
    return counter;
  }

  #prepare({ server, zone, transport, family, type, dnssecOk, rcode, plugin }: PacketLabels): PacketCounter {
    const where: Labels = { server, zone, view: '' };
    const name = typeName(type);
    const requests = this.#requests.cell({
      ...where,
      proto: transport,
      family: family === 'IPv4' ? '1' : '2',
      type: TYPES.has(name) ? name : 'other',
    });
    const responses = this.#responses.cell({ ...where, rcode: rcodeName(rcode), plugin });
    const requestSizes = this.#requestSizes.series({ ...where, proto: transport });
    const responseSizes = this.#responseSizes.series({ ...where, proto: transport });
    const durations = this.#durations.series(where);
    const dnssecRequests = dnssecOk ? this.#dnssecRequests.cell(where) : undefined;
    return {
      count(requestBytes, responseBytes, seconds) {
        requests.value++;
        if (dnssecRequests) dnssecRequests.value++;
        responses.value++;
        requestSizes.observe(requestBytes);
        responseSizes.observe(responseBytes);
        durations.observe(seconds);
      },
    };
  }

  /** The text format of Prometheus. */
  render(): string {
    return this.#metrics.map((metric) => metric.render()).join('');
  }
}
