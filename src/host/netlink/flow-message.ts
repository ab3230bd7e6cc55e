/** A tracked flow in the kernel's bytes. */
import { ipText } from './addresses.ts';
import { eachAttribute } from './message-reader.ts';
import { NLM_F_DUMP, NLM_F_REQUEST, type MessageWriter } from './message-writer.ts';

export type FlowProtocol = 'TCP' | 'UDP' | 'SCTP';

/** A flow as the client sent it (source, destination), and as the answer comes. */
export interface TrackedFlow {
  readonly protocol: FlowProtocol;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
  readonly replyPort: number;
  /** The kernel translated the destination (IPS_DST_NAT), even to itself. */
  readonly translated: boolean;
}

export const IPCTNL_MSG_CT_NEW = 0x100;
const IPCTNL_MSG_CT_GET = 0x101;
const IPCTNL_MSG_CT_DELETE = 0x102;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const NESTED = 0x8000;

const FILTER_PROTO_NUM = 1 << 3;
const IPS_DST_NAT = 1 << 5;

export const protocolNumbers: Readonly<Record<FlowProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** A dump of one protocol. Kernels before 5.8 know no filter and send all: `FlowReader.protocol` tells. */
export function writeFlowDump(to: MessageWriter, family: number, protocol: FlowProtocol, seq: number): void {
  to.begin(IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, seq).nfgen(family);
  const tuple = to.open(CTA_TUPLE_ORIG);
  const proto = to.open(2);
  to.u8(1, protocolNumbers[protocol]).close(proto).close(tuple);
  const filter = to.open(CTA_FILTER);
  to.u32(1, FILTER_PROTO_NUM).u32(2, 0).close(filter).end();
}

/** One end-to-end direction: where in the message its parts are. */
interface Tuple {
  source: number;
  destination: number;
  size: number;
  protocol: number;
  sourcePort: number;
  port: number;
}

/** What deletes one flow and no other: its tuple, its id (another flow may have come to the same tuple), its zone. */
export interface FlowHandle {
  readonly tuple: Uint8Array;
  readonly id: Uint8Array;
  readonly zone: Uint8Array | undefined;
}

export function writeFlowDelete(to: MessageWriter, family: number, { tuple, id, zone }: FlowHandle, seq: number): void {
  // a request to delete without a tuple empties the whole table
  if (tuple.length === 0) throw new RangeError('a flow without a tuple');
  to.begin(IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST, seq)
    .nfgen(family)
    .bytes(CTA_TUPLE_ORIG | NESTED, tuple);
  if (id.length > 0) to.bytes(CTA_ID, id);
  if (zone) to.bytes(CTA_ZONE, zone);
  to.end();
}

/** Looks at one message at a time and makes text only of what is asked for: most of 100,000 flows are passed over. */
export class FlowReader {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #sent = newTuple();
  readonly #reply = newTuple();
  #status = 0;
  #tupleAt = 0;
  #tupleEnd = 0;
  #idAt = 0;
  #zoneAt = 0;

  /** False where it is no flow of ports. */
  read(payload: Buffer): boolean {
    this.#bytes = payload;
    this.#sent.size = this.#reply.size = this.#tupleAt = this.#tupleEnd = this.#status = this.#idAt = this.#zoneAt = 0;
    eachAttribute(payload, 4, payload.length, this.#visit);
    return isAddress(this.#sent.size) && this.#sent.size === this.#reply.size;
  }

  readonly #visit = (type: number, from: number, to: number): void => {
    const size = to - from;
    if (type === CTA_TUPLE_ORIG) {
      this.#tupleAt = from;
      this.#tupleEnd = to;
      readTuple(this.#bytes, from, to, this.#sent);
    } else if (type === CTA_TUPLE_REPLY) readTuple(this.#bytes, from, to, this.#reply);
    else if (type === CTA_STATUS && size === 4) this.#status = this.#bytes.readUInt32BE(from);
    else if (type === CTA_ID && size === 4) this.#idAt = from;
    else if (type === CTA_ZONE && size === 2) this.#zoneAt = from;
  };

  get protocol(): number {
    return this.#sent.protocol;
  }

  get translated(): boolean {
    return (this.#status & IPS_DST_NAT) !== 0;
  }

  /** Same for flows that differ only in their client: to whom, who answers, translated or not. Not for eyes. */
  kind(): string {
    const sent = this.#sent;
    const reply = this.#reply;
    const bytes = this.#bytes;
    const to = bytes.toString('latin1', sent.destination, sent.destination + sent.size);
    const by = bytes.toString('latin1', reply.source, reply.source + reply.size);
    return `${to}${by}${String.fromCharCode(sent.port, reply.sourcePort, this.translated ? 1 : 0)}`;
  }

  flow(protocol: FlowProtocol): TrackedFlow {
    const sent = this.#sent;
    const reply = this.#reply;
    const bytes = this.#bytes;
    return {
      protocol,
      source: ipText(bytes, sent.source, sent.size),
      sourcePort: sent.sourcePort,
      destination: ipText(bytes, sent.destination, sent.size),
      port: sent.port,
      replySource: ipText(bytes, reply.source, reply.size),
      replyPort: reply.sourcePort,
      translated: this.translated,
    };
  }

  handle(): FlowHandle {
    const copy = (from: number, to: number) => Uint8Array.from(this.#bytes.subarray(from, to));
    return {
      tuple: copy(this.#tupleAt, this.#tupleEnd),
      id: this.#idAt > 0 ? copy(this.#idAt, this.#idAt + 4) : new Uint8Array(0),
      zone: this.#zoneAt > 0 ? copy(this.#zoneAt, this.#zoneAt + 2) : undefined,
    };
  }
}

const isAddress = (size: number): boolean => size === 4 || size === 16;

const newTuple = (): Tuple => ({ source: 0, destination: 0, size: 0, protocol: 0, sourcePort: 0, port: 0 });

function readTuple(bytes: Buffer, from: number, to: number, into: Tuple): void {
  into.protocol = into.sourcePort = into.port = 0;
  eachAttribute(bytes, from, to, (type, start, end) => {
    if (type === 1)
      eachAttribute(bytes, start, end, (part, at, after) => {
        // 1, 2: IPv4; 3, 4: IPv6
        if (part % 2 === 1) into.source = at;
        else into.destination = at;
        into.size = after - at;
      });
    else if (type === 2)
      eachAttribute(bytes, start, end, (part, at, after) => {
        if (part === 1) into.protocol = bytes[at] ?? 0;
        else if (after - at !== 2) return;
        else if (part === 2) into.sourcePort = bytes.readUInt16BE(at);
        else if (part === 3) into.port = bytes.readUInt16BE(at);
      });
  });
}
