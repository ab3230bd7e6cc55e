/** The number nf_tables counts its transactions with: it moves whenever anybody changed any rule of it. */
import { attributes } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './socket.ts';

const NLM_F_REQUEST = 1;
const NFT_MSG_NEWGEN = 0xa0f;
const NFT_MSG_GETGEN = 0xa10;
const NFTA_GEN_ID = 1;

/** In the network namespace of the calling thread. */
export class NfGeneration {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #writer = new MessageWriter();

  /** Throws NetlinkError where the kernel has no nf_tables. */
  read(): number {
    let generation: number | undefined;
    const request = this.#writer.reset().begin(NFT_MSG_GETGEN, NLM_F_REQUEST, this.#socket.nextSeq()).nfgen(0).end();
    this.#socket.transactNow(request, ({ type, payload }) => {
      if (type === NFT_MSG_NEWGEN) generation = attributes(payload, 4).get(NFTA_GEN_ID)?.readUInt32BE();
    });
    if (generation === undefined) throw new NetlinkError(['nf_tables', 'get generation'], 'ENODATA', 'no answer');
    return generation;
  }

  close(): void {
    this.#socket.close();
  }
}
