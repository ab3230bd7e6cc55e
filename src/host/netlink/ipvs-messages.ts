/** Virtual and real servers in the kernel's bytes, both ways. */
import { addressFamily, AF_INET6, ipBytes, ipText } from './addresses.ts';
import { attributes, text, type Attributes } from './message-reader.ts';
import type { MessageWriter } from './message-writer.ts';
import type { RealServer, VirtualServer, VirtualServerKey } from './virtual-server.ts';

export const IPVS_CMD = {
  newService: 1,
  setService: 2,
  deleteService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  deleteDestination: 7,
  getDestination: 8,
  setConfig: 12,
  getConfig: 13,
  flush: 17,
} as const;

export const ATTR_SERVICE = 1;
export const ATTR_DESTINATION = 2;

const PERSISTENT = 1;
const ONE_PACKET = 4;
const SCHEDULER_FLAGS = 0x38;
/** Flags that the kernel sets for itself stay its own. */
const OUR_FLAGS = PERSISTENT | ONE_PACKET | SCHEDULER_FLAGS;
const MASQUERADING = 0;

const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const;
const protocolNames = new Map<number, VirtualServerKey['protocol']>([
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
]);

/** The kernel reads 16 bytes for either family. */
function address(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(ipBytes(text));
  return bytes;
}

function writeKey(to: MessageWriter, key: VirtualServerKey): void {
  to.u16(1, addressFamily(key.address))
    .u16(2, protocols[key.protocol])
    .bytes(3, address(key.address))
    .be16(4, key.port);
}

export function writeServiceKey(to: MessageWriter, key: VirtualServerKey): void {
  const at = to.open(ATTR_SERVICE);
  writeKey(to, key);
  to.close(at);
}

export function writeService(to: MessageWriter, service: VirtualServer): void {
  const { persistence = 0, onePacket = false, schedulerFlags = 0 } = service;
  const at = to.open(ATTR_SERVICE);
  writeKey(to, service);
  to.string(6, service.scheduler);
  const flags = new DataView(new ArrayBuffer(8));
  const wanted =
    (persistence > 0 ? PERSISTENT : 0) | (onePacket ? ONE_PACKET : 0) | ((schedulerFlags << 3) & SCHEDULER_FLAGS);
  flags.setUint32(0, wanted, true);
  flags.setUint32(4, OUR_FLAGS, true);
  to.bytes(7, new Uint8Array(flags.buffer)).u32(8, persistence);
  // clients are told apart by their whole address
  if (addressFamily(service.address) === AF_INET6) to.u32(9, 128);
  else to.be32(9, 0xffffffff);
  to.close(at);
}

export function writeDestination(to: MessageWriter, { address: ip, port, weight }: RealServer, whole: boolean): void {
  const at = to.open(ATTR_DESTINATION);
  to.bytes(1, address(ip)).be16(2, port);
  if (whole) to.u32(3, MASQUERADING).u32(4, weight).u32(5, 0).u32(6, 0);
  to.u16(11, addressFamily(ip)).close(at);
}

/** undefined where it is a server by mark, which is none of ours. */
export function readService(payload: Buffer): VirtualServer | undefined {
  const found = attributes(attributes(payload, 4).get(ATTR_SERVICE) ?? Buffer.alloc(0));
  const protocol = protocolNames.get(found.get(2)?.readUInt16LE() ?? 0);
  const where = readAddress(found, 1, 3);
  if (protocol === undefined || where === undefined) return undefined;
  const flags = found.get(7)?.readUInt32LE() ?? 0;
  return {
    protocol,
    address: where,
    port: found.get(4)?.readUInt16BE() ?? 0,
    scheduler: text(found.get(6)),
    ...((flags & PERSISTENT) !== 0 && { persistence: found.get(8)?.readUInt32LE() ?? 0 }),
    ...((flags & ONE_PACKET) !== 0 && { onePacket: true }),
    ...((flags & SCHEDULER_FLAGS) !== 0 && { schedulerFlags: (flags & SCHEDULER_FLAGS) >>> 3 }),
  };
}

/** @param family of its virtual server: kernels before 3.18 do not tell the real server's own */
export function readDestination(payload: Buffer, family: number): RealServer | undefined {
  const found = attributes(attributes(payload, 4).get(ATTR_DESTINATION) ?? Buffer.alloc(0));
  const where = readAddress(found, 11, 1, family);
  if (where === undefined) return undefined;
  return {
    address: where,
    port: found.get(2)?.readUInt16BE() ?? 0,
    weight: found.get(4)?.readUInt32LE() ?? 0,
    activeConnections: found.get(7)?.readUInt32LE() ?? 0,
    inactiveConnections: found.get(8)?.readUInt32LE() ?? 0,
  };
}

function readAddress(found: Attributes, familyAt: number, addressAt: number, otherwise?: number): string | undefined {
  const bytes = found.get(addressAt);
  const family = found.get(familyAt)?.readUInt16LE() ?? otherwise;
  if (bytes?.length !== 16 || family === undefined) return undefined;
  return ipText(bytes, 0, family === AF_INET6 ? 16 : 4);
}
