/** The number nf_tables counts its transactions with: it moves whenever anybody changed anything of it. 32 bits, without 0. */
import { attributes } from './message-reader.ts';
import { MessageWriter, NLM_F_REQUEST } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './socket.ts';

const NFT_MSG_NEWGEN = 0xa0f;
const NFT_MSG_GETGEN = 0xa10;
const NFTA_GEN_ID = 1;

/** Over a socket of the caller's, within its `exclusive`. Throws NetlinkError where the kernel has no nf_tables. */
export function readGeneration(socket: NetlinkSocket, writer: MessageWriter): number {
  let generation: number | undefined;
  const request = writer.reset().begin(NFT_MSG_GETGEN, NLM_F_REQUEST, socket.nextSeq()).nfgen(0).end();
  socket.transactNow(request, ({ type, payload }) => {
    if (type === NFT_MSG_NEWGEN) generation = attributes(payload, 4).get(NFTA_GEN_ID)?.readUInt32BE();
  });
  if (generation === undefined) throw new NetlinkError(['nf_tables', 'get generation'], 'ENODATA', 'no answer');
  return generation;
}

/** In the network namespace of the calling thread. */
export class NfGeneration {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #writer = new MessageWriter(256);

  /** Throws NetlinkError where the kernel has no nf_tables. */
  read(): number {
    return readGeneration(this.#socket, this.#writer);
  }

  close(): void {
    this.#socket.close();
  }
}
