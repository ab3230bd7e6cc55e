/** The kernel's virtual servers over generic netlink: thousands of changes in one call, no program started. */
import { addressFamily } from './addresses.ts';
import {
  readDestination,
  readService,
  writeDestination,
  writeService,
  writeServiceKey,
  IPVS_CMD,
} from './ipvs-messages.ts';
import { errnoName } from './libc.ts';
import { attributes } from './message-reader.ts';
import { MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import { sendEach, type Refusal } from './send-each.ts';
import { NETLINK_GENERIC, NetlinkSocket } from './socket.ts';
import type { RealServer, VirtualServer, VirtualServerKey } from './virtual-server.ts';

export type { RealServer, VirtualServer, VirtualServerKey } from './virtual-server.ts';

export type IpvsChange =
  | { readonly op: 'add-service' | 'set-service'; readonly service: VirtualServer }
  /** Its real servers go with it. */
  | { readonly op: 'delete-service'; readonly service: VirtualServerKey }
  | {
      readonly op: 'add-destination' | 'set-destination' | 'delete-destination';
      readonly service: VirtualServerKey;
      readonly destination: RealServer;
    };

/** Seconds; in a change, 0 keeps what is. */
export interface IpvsTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

export interface Ipvs {
  /**
   * In the order given, each by itself. Returns those that the kernel refused: EEXIST to add what is there, ESRCH (service) or ENOENT (destination) to
   * change what is not, ENOENT for a scheduler it does not have.
   */
  apply(changes: readonly IpvsChange[]): Promise<readonly Refusal<IpvsChange>[]>;
  /** Of both families; servers by mark are left out. */
  services(): Promise<readonly VirtualServer[]>;
  /** Empty also where there is no such service: the kernel does not tell. */
  destinations(service: VirtualServerKey): Promise<readonly RealServer[]>;
  timeouts(): Promise<IpvsTimeouts>;
  setTimeouts(timeouts: IpvsTimeouts): Promise<void>;
  /** Deletes all, also what others made. */
  flush(): Promise<void>;
  close(): void;
}

const GENL_ID_CTRL = 0x10;
const CTRL_CMD_GETFAMILY = 3;

/** In the network namespace of the calling thread. Throws NetlinkError: ENOENT where the kernel has no IPVS. */
export function createIpvs(): Ipvs {
  const socket = new NetlinkSocket(NETLINK_GENERIC);
  try {
    return new IpvsSocket(socket, familyId(socket, 'IPVS'));
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Number of a generic netlink family; the kernel loads its module when it can. */
function familyId(socket: NetlinkSocket, name: string): number {
  const request = new MessageWriter(64)
    .begin(GENL_ID_CTRL, NLM_F_REQUEST, socket.nextSeq())
    .fixed(CTRL_CMD_GETFAMILY, 1, 0, 0)
    .string(2, name)
    .end();
  let id = 0;
  const [refused] = socket.transactNow(request, ({ payload }) => {
    id = attributes(payload, 4).get(1)?.readUInt16LE() ?? 0;
  });
  if (id !== 0) return id;
  throw new NetlinkError(['netlink', 'family', name], errnoName(refused?.code ?? 0), refused?.detail);
}

class IpvsSocket implements Ipvs {
  readonly #socket: NetlinkSocket;
  readonly #family: number;
  readonly #writer = new MessageWriter();

  constructor(socket: NetlinkSocket, family: number) {
    this.#socket = socket;
    this.#family = family;
  }

  apply(changes: readonly IpvsChange[]): Promise<readonly Refusal<IpvsChange>[]> {
    return this.#socket.exclusive(() =>
      sendEach(this.#socket, this.#writer, changes, (to, change, seq) => {
        to.begin(this.#family, NLM_F_REQUEST, seq);
        writeChange(to, change);
        to.end();
      }),
    );
  }

  services(): Promise<readonly VirtualServer[]> {
    return this.#socket.exclusive(async () => {
      const found: VirtualServer[] = [];
      const request = this.#request(IPVS_CMD.getService, NLM_F_DUMP).end();
      await this.#socket.dump(request, ['ipvs', 'list services'], ({ payload }) => {
        const service = readService(payload);
        if (service) found.push(service);
      });
      return found;
    });
  }

  destinations(service: VirtualServerKey): Promise<readonly RealServer[]> {
    return this.#socket.exclusive(async () => {
      const found: RealServer[] = [];
      const request = this.#request(IPVS_CMD.getDestination, NLM_F_DUMP);
      writeServiceKey(request, service);
      const tried = ['ipvs', 'list destinations', service.protocol, service.address, String(service.port)];
      await this.#socket.dump(request.end(), tried, ({ payload }) => {
        const destination = readDestination(payload, addressFamily(service.address));
        if (destination) found.push(destination);
      });
      return found;
    });
  }

  timeouts(): Promise<IpvsTimeouts> {
    return this.#socket.exclusive(() => {
      let found: IpvsTimeouts = { tcp: 0, tcpFin: 0, udp: 0 };
      this.#ask(this.#request(IPVS_CMD.getConfig, NLM_F_ACK), 'timeouts', (payload) => {
        const [tcp = 0, tcpFin = 0, udp = 0] = [4, 5, 6].map((at) => attributes(payload, 4).get(at)?.readUInt32LE());
        found = { tcp, tcpFin, udp };
      });
      return found;
    });
  }

  setTimeouts({ tcp, tcpFin, udp }: IpvsTimeouts): Promise<void> {
    return this.#socket.exclusive(() => {
      const request = this.#request(IPVS_CMD.setConfig, NLM_F_ACK);
      for (const [index, seconds] of [tcp, tcpFin, udp].entries()) if (seconds > 0) request.u32(4 + index, seconds);
      this.#ask(request, 'set timeouts');
    });
  }

  flush(): Promise<void> {
    return this.#socket.exclusive(() => {
      this.#ask(this.#request(IPVS_CMD.flush, NLM_F_ACK), 'flush');
    });
  }

  close(): void {
    this.#socket.close();
  }

  #request(command: number, flags: number): MessageWriter {
    return this.#writer
      .reset()
      .begin(this.#family, NLM_F_REQUEST | flags, this.#socket.nextSeq())
      .fixed(command, 1, 0, 0);
  }

  #ask(request: MessageWriter, what: string, onPayload?: (payload: Buffer) => void): void {
    const answers = this.#socket.transactNow(request.end(), ({ payload }) => onPayload?.(payload));
    const refused = answers.find(({ code }) => code !== 0);
    if (refused) throw new NetlinkError(['ipvs', what], errnoName(refused.code), refused.detail);
  }
}

function writeChange(to: MessageWriter, change: IpvsChange): void {
  const command = (number: number) => to.fixed(number, 1, 0, 0);
  switch (change.op) {
    case 'add-service':
    case 'set-service':
      command(change.op === 'add-service' ? IPVS_CMD.newService : IPVS_CMD.setService);
      writeService(to, change.service);
      return;
    case 'delete-service':
      command(IPVS_CMD.deleteService);
      writeServiceKey(to, change.service);
      return;
    case 'add-destination':
    case 'set-destination':
      command(change.op === 'add-destination' ? IPVS_CMD.newDestination : IPVS_CMD.setDestination);
      writeServiceKey(to, change.service);
      writeDestination(to, change.destination, true);
      return;
    case 'delete-destination':
      command(IPVS_CMD.deleteDestination);
      writeServiceKey(to, change.service);
      writeDestination(to, change.destination, false);
      return;
  }
}
