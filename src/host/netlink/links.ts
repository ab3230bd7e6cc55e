/** A device that holds addresses, over rtnetlink: made, flagged, and given and taken thousands of addresses in one call. */
import { addressFamily, AF_INET, AF_INET6, ipBytes, ipText } from './addresses.ts';
import { errnoName } from './libc.ts';
import { attributes } from './message-reader.ts';
import {
  MessageWriter,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import { sendEach, type Refusal } from './send-each.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';

export interface LinkFlags {
  readonly up?: boolean;
  /** No ARP; a dummy has it from the start. */
  readonly noArp?: boolean;
}

/** An address to be, or not to be, on a device; with the whole length of its family as prefix. */
export interface AddressChange {
  readonly op: 'add' | 'delete';
  readonly address: string;
}

export interface AddressLinks {
  /** Makes the dummy device; true when there was none of that name. Throws NetlinkError, EOPNOTSUPP where the kernel has no dummy devices. */
  makeDummy(name: string): Promise<boolean>;
  deleteLink(name: string): Promise<void>;
  /** undefined: there is no such device. */
  flags(name: string): Promise<Required<LinkFlags> | undefined>;
  setFlags(name: string, flags: LinkFlags): Promise<void>;
  /** Addresses on the device, without prefix length. Throws NetlinkError, ENODEV. */
  addresses(name: string, family: 'IPv4' | 'IPv6'): Promise<ReadonlySet<string>>;
  /**
   * In the order given. What is there already, or gone already, is no mistake. Returns the changes that the kernel refused. Throws NetlinkError, ENODEV.
   */
  changeAddresses(name: string, changes: readonly AddressChange[]): Promise<readonly Refusal<AddressChange>[]>;
  close(): void;
}

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 2;
const IFF_UP = 0x1;
const IFF_NOARP = 0x80;

/** In the network namespace of the calling thread. Throws NetlinkError. */
export function createAddressLinks(): AddressLinks {
  return new AddressLinksSocket();
}

interface Link {
  readonly index: number;
  readonly flags: number;
}

class AddressLinksSocket implements AddressLinks {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);
  readonly #writer = new MessageWriter();

  makeDummy(name: string): Promise<boolean> {
    return this.#socket.exclusive(() => {
      const to = this.#link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL).string(IFLA_IFNAME, name);
      const info = to.open(IFLA_LINKINFO);
      to.string(1, 'dummy').close(info);
      const code = this.#ask(to, ['link', 'add', name], ['EEXIST']);
      return code === undefined;
    });
  }

  deleteLink(name: string): Promise<void> {
    return this.#socket.exclusive(() => {
      this.#ask(this.#link(RTM_DELLINK).string(IFLA_IFNAME, name), ['link', 'delete', name]);
    });
  }

  flags(name: string): Promise<Required<LinkFlags> | undefined> {
    return this.#socket.exclusive(() => {
      const link = this.#find(name);
      return link && { up: (link.flags & IFF_UP) !== 0, noArp: (link.flags & IFF_NOARP) !== 0 };
    });
  }

  setFlags(name: string, { up, noArp }: LinkFlags): Promise<void> {
    return this.#socket.exclusive(() => {
      const change = (up === undefined ? 0 : IFF_UP) | (noArp === undefined ? 0 : IFF_NOARP);
      const flags = (up === true ? IFF_UP : 0) | (noArp === true ? IFF_NOARP : 0);
      this.#ask(this.#link(RTM_NEWLINK, 0, flags, change).string(IFLA_IFNAME, name), ['link', 'set', name]);
    });
  }

  addresses(name: string, family: 'IPv4' | 'IPv6'): Promise<ReadonlySet<string>> {
    return this.#socket.exclusive(async () => {
      const { index } = this.#mustFind(name);
      const found = new Set<string>();
      const number = family === 'IPv6' ? AF_INET6 : AF_INET;
      const to = this.#begin(RTM_GETADDR, NLM_F_DUMP).fixed(number, 0, 0, 0, 0, 0, 0, 0);
      await this.#socket.dump(to.end(), ['address', 'list', name], ({ type, payload }) => {
        if (type !== RTM_NEWADDR || payload[0] !== number || payload.readUInt32LE(4) !== index) return;
        const all = attributes(payload, 8);
        // where they differ, the other one is the far end's
        const bytes = all.get(IFA_LOCAL) ?? all.get(IFA_ADDRESS);
        if (bytes) found.add(ipText(bytes, 0, bytes.length));
      });
      return found;
    });
  }

  changeAddresses(name: string, changes: readonly AddressChange[]): Promise<readonly Refusal<AddressChange>[]> {
    return this.#socket.exclusive(async () => {
      if (changes.length === 0) return [];
      const { index } = this.#mustFind(name);
      const refused = await sendEach(this.#socket, this.#writer, changes, (to, { op, address }, seq) => {
        writeAddress(to, op, address, index, seq);
      });
      return refused.filter(({ request, code }) => code !== (request.op === 'add' ? 'EEXIST' : 'EADDRNOTAVAIL'));
    });
  }

  close(): void {
    this.#socket.close();
  }

  #mustFind(name: string): Link {
    const link = this.#find(name);
    if (!link) throw new NetlinkError(['link', 'show', name], 'ENODEV');
    return link;
  }

  #find(name: string): Link | undefined {
    let found: Link | undefined;
    const to = this.#link(RTM_GETLINK).string(IFLA_IFNAME, name);
    this.#ask(to, ['link', 'show', name], ['ENODEV'], (payload) => {
      found = { index: payload.readInt32LE(4), flags: payload.readUInt32LE(8) };
    });
    return found;
  }

  #begin(type: number, flags: number): MessageWriter {
    return this.#writer.reset().begin(type, NLM_F_REQUEST | flags, this.#socket.nextSeq());
  }

  /** With `ifinfomsg`. */
  #link(type: number, more = 0, flags = 0, change = 0): MessageWriter {
    const to = this.#begin(type, NLM_F_ACK | more).fixed(0, 0, 0, 0, 0, 0, 0, 0);
    for (const word of [flags, change]) to.fixed(word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24);
    return to;
  }

  /** Returns the error's name where it is among `allowed`; throws for others. */
  #ask(
    request: MessageWriter,
    tried: readonly string[],
    allowed: readonly string[] = [],
    onPayload?: (payload: Buffer) => void,
  ): string | undefined {
    const answers = this.#socket.transactNow(request.end(), ({ payload }) => onPayload?.(payload));
    const refused = answers.find(({ code }) => code !== 0);
    if (!refused) return undefined;
    const code = errnoName(refused.code);
    if (allowed.includes(code)) return code;
    throw new NetlinkError(tried, code, refused.detail);
  }
}

function writeAddress(to: MessageWriter, op: 'add' | 'delete', address: string, index: number, seq: number): void {
  const family = addressFamily(address);
  const bytes = ipBytes(address);
  if (op === 'add') to.begin(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, seq);
  else to.begin(RTM_DELADDR, NLM_F_REQUEST, seq);
  to.fixed(family, bytes.length * 8, 0, 0, index & 0xff, (index >>> 8) & 0xff, (index >>> 16) & 0xff, index >>> 24);
  to.bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes);
  // nobody else can have it, so there is nothing to wait for
  if (op === 'add' && family === AF_INET6) to.u32(IFA_FLAGS, IFA_F_NODAD);
  to.end();
}
