/**
 * The kernel's table of flows over netlink. One pass sees all flows of a protocol (trap T3), the kernel leaves the others out, its work is done on another
 * thread, and what is kept is bounded.
 */
import { createConntrack, type Conntrack, type UdpFlow } from '../conntrack.ts';
import { AF_INET, AF_INET6 } from './addresses.ts';
import {
  FlowReader,
  IPCTNL_MSG_CT_NEW,
  protocolNumbers,
  writeFlowDelete,
  writeFlowDump,
  type FlowHandle,
  type FlowProtocol,
  type TrackedFlow,
} from './flow-message.ts';
import { MessageWriter } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import { sendEach } from './send-each.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './socket.ts';

export type { FlowProtocol, TrackedFlow } from './flow-message.ts';

export interface NetlinkConntrack extends Conntrack {
  /** Calls back for every flow of the protocol, one at a time; nothing is kept. Throws NetlinkError. */
  each(protocol: FlowProtocol, visit: (flow: TrackedFlow) => void): Promise<void>;
  /** Deletes the flows for which `isStale` is true; returns how many went. `isStale` is asked once for all flows that differ only in their client. */
  forget(protocol: FlowProtocol, isStale: (flow: TrackedFlow) => boolean): Promise<number>;
  close(): void;
}

/** Flows to delete that one pass gathers; more are left to the next pass. About 20 MB. */
const GATHERED = 65_536;

/** The netlink one where this machine lets us, else the command-line one. */
export function openConntrack(family: 'IPv4' | 'IPv6' = 'IPv4'): Conntrack {
  try {
    return createNetlinkConntrack(family);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return createConntrack(family);
  }
}

/** Opens a socket in the network namespace of the calling thread. Throws NetlinkError, ENOSYS where koffi cannot be loaded. */
export function createNetlinkConntrack(family: 'IPv4' | 'IPv6' = 'IPv4'): NetlinkConntrack {
  return new ConntrackSocket(family === 'IPv6' ? AF_INET6 : AF_INET);
}

class ConntrackSocket implements NetlinkConntrack {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #writer = new MessageWriter();
  readonly #reader = new FlowReader();
  readonly #family: number;

  constructor(family: number) {
    this.#family = family;
  }

  async listUdp(): Promise<readonly UdpFlow[]> {
    const found = new Map<string, UdpFlow>();
    await this.#socket.exclusive(() =>
      this.#pass('UDP', (reader) => {
        const kind = reader.kind();
        if (found.has(kind)) return;
        const { destination, port, replySource, replyPort, translated } = reader.flow('UDP');
        found.set(kind, { destination, port, replySource, replyPort, translated });
      }),
    );
    return [...found.values()];
  }

  deleteUdp(flows: readonly UdpFlow[]): Promise<number> {
    if (flows.length === 0) return Promise.resolve(0);
    const name = ({ destination, port, replySource, replyPort }: UdpFlow) =>
      `${destination} ${String(port)} ${replySource} ${String(replyPort)}`;
    const stale = new Set(flows.map(name));
    return this.forget('UDP', (flow) => stale.has(name(flow)));
  }

  each(protocol: FlowProtocol, visit: (flow: TrackedFlow) => void): Promise<void> {
    return this.#socket.exclusive(() =>
      this.#pass(protocol, (reader) => {
        visit(reader.flow(protocol));
      }),
    );
  }

  forget(protocol: FlowProtocol, isStale: (flow: TrackedFlow) => boolean): Promise<number> {
    return this.#socket.exclusive(async () => {
      const answers = new Map<string, boolean>();
      let deleted = 0;
      for (;;) {
        const handles: FlowHandle[] = [];
        await this.#pass(protocol, (reader) => {
          if (handles.length >= GATHERED) return;
          const kind = reader.kind();
          const stale = answers.get(kind) ?? isStale(reader.flow(protocol));
          answers.set(kind, stale);
          if (stale) handles.push(reader.handle());
        });
        const gone = await this.#delete(handles);
        deleted += gone;
        // none went: those that are left will not go either
        if (handles.length < GATHERED || gone === 0) return deleted;
      }
    });
  }

  close(): void {
    this.#socket.close();
  }

  async #pass(protocol: FlowProtocol, visit: (reader: FlowReader) => void): Promise<void> {
    const reader = this.#reader;
    const number = protocolNumbers[protocol];
    writeFlowDump(this.#writer.reset(), this.#family, protocol, this.#socket.nextSeq());
    const onMessage = ({ type, payload }: { type: number; payload: Buffer }) => {
      if (type === IPCTNL_MSG_CT_NEW && reader.read(payload) && reader.protocol === number) visit(reader);
    };
    await this.#socket.dump(this.#writer, ['conntrack', 'list', protocol], onMessage, true);
  }

  /** Returns how many went; a flow that ended by itself meanwhile is none. */
  async #delete(handles: readonly FlowHandle[]): Promise<number> {
    const refused = await sendEach(this.#socket, this.#writer, handles, (to, handle, seq) => {
      writeFlowDelete(to, this.#family, handle, seq);
    });
    const other = refused.find(({ code }) => code !== 'ENOENT');
    if (other) throw new NetlinkError(['conntrack', 'delete'], other.code, other.detail);
    return handles.length - refused.length;
  }
}
