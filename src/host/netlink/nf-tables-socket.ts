/** nf_tables through one long-lived socket. */
import { setTimeout } from 'node:timers/promises';
import { errnoName } from './libc.ts';
import { attributes, eachAttribute, text, type Attributes } from './message-reader.ts';
import { MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from './message-writer.ts';
import { NetlinkError } from './netlink-error.ts';
import { ChangeGatherer } from './nf-changes.ts';
import { readGeneration } from './nf-generation.ts';
import { readElements, writeBatch, writeListNames, type Batch } from './nf-elements.ts';
import type { NfChange, NfFamily, NfTables, RulesetChange, SetChange, SetElement } from './nf-types.ts';
import { NETLINK_NETFILTER, NetlinkSocket, type Answer } from './socket.ts';

const NFT_MSG_GETTABLE = 0xa01;
const NFT_MSG_GETCHAIN = 0xa04;
const NFT_MSG_NEWSET = 0xa09;
const NFT_MSG_GETSET = 0xa0a;
const NFT_MSG_NEWCHAIN = 0xa03;
const NFT_MSG_NEWSETELEM = 0xa0c;
const NFT_MSG_GETSETELEM = 0xa0d;
const NFNLGRP_NFTABLES = 7;
const NFT_SET_ANONYMOUS = 1;

const familyNumbers: Readonly<Record<NfFamily, number>> = { ip: 2, ip6: 10 };

/** How often a dump is begun again because something changed meanwhile. */
const DUMP_TRIES = 20;
const POLITE_TRIES = 5;

/** A commit of more bytes is made while nobody of ours listens. The kernel queues one multicast message of 4-8 KiB per element when anyone does: 100,000 took 2 s instead of 0.15. */
const QUIET_BYTES = 64 * 1024;

/** Opens the socket in the network namespace of the calling thread. Throws NetlinkError, ENOSYS where koffi cannot be loaded. */
export function createNfTables(): NfTables {
  return new NfTablesSocket(new NetlinkSocket(NETLINK_NETFILTER));
}

class NfTablesSocket implements NfTables {
  readonly #socket: NetlinkSocket;
  readonly #writer = new MessageWriter(16 * 1024);
  readonly #asking = new MessageWriter(256);
  /** For dumps, so that no commit waits for one. */
  #reader: NetlinkSocket | undefined;
  #open = true;
  readonly #monitors = new Map<NetlinkSocket, ChangeGatherer>();

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  commit(family: NfFamily, table: string, changes: readonly SetChange[], ruleset?: RulesetChange): Promise<void> {
    return this.#socket.exclusive(async () => {
      const tried = ['nf_tables', 'commit', family, table];
      const request = this.#writer.reset();
      const nextSeq = () => this.#socket.nextSeq();
      const batch = writeBatch(request, familyNumbers[family], table, changes, nextSeq, ruleset);
      if (batch.changes.length === 0) return;
      const answers = await this.#transact(request);
      const failed = answers.find(({ code }) => code !== 0);
      if (failed) throw refusal(tried, failed, batch, request);
      if (!answers.some(({ seq }) => seq === batch.lastSeq)) throw new NetlinkError(tried, 'ENODATA', 'no answer');
    });
  }

  dump(family: NfFamily, table: string, set: string): Promise<readonly SetElement[]> {
    const tried = ['nf_tables', 'dump', family, table, set];
    return this.#dumpWhole(tried, async (reader) => {
      const found: SetElement[] = [];
      const seen = new Set<string>();
      const request = this.#request(reader, NFT_MSG_GETSETELEM, NLM_F_DUMP, family);
      const { interrupted } = await reader.dump(writeListNames(request, table, set).end(), tried, (message) => {
        if (message.type !== NFT_MSG_NEWSETELEM) return;
        const from = found.length;
        readElements(message.payload, found);
        for (const element of found.slice(from)) seen.add(nameOf(element));
      });
      // A hash set is rehashed in the background for a while after many elements were added, and a dump that comes in pieces counts its way into a set
      // whose order has changed: it tells some elements twice and as many others not at all, in the same generation. Twins mean that some are missing.
      return interrupted || seen.size !== found.length ? undefined : found;
    });
  }

  sets(family: NfFamily, table: string): Promise<readonly string[]> {
    return this.#names(family, table, NFT_MSG_GETSET, NFT_MSG_NEWSET, 2, (found) => {
      return ((found.get(3)?.readUInt32BE() ?? 0) & NFT_SET_ANONYMOUS) === 0;
    });
  }

  chains(family: NfFamily, table: string): Promise<readonly string[]> {
    return this.#names(family, table, NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, 3, () => true);
  }

  hasTable(family: NfFamily, table: string): Promise<boolean> {
    return this.#socket.exclusive(() => {
      const request = this.#request(this.#socket, NFT_MSG_GETTABLE, NLM_F_ACK, family).string(1, table).end();
      const failed = this.#socket.transactNow(request).find(({ code }) => code !== 0);
      if (!failed) return true;
      const code = errnoName(failed.code);
      if (code === 'ENOENT') return false;
      throw new NetlinkError(['nf_tables', 'get table', family, table], code, failed.detail);
    });
  }

  monitor(onChange: (change: NfChange) => void): () => void {
    const socket = new NetlinkSocket(NETLINK_NETFILTER);
    const gatherer = new ChangeGatherer(onChange);
    this.#monitors.set(socket, gatherer);
    socket.subscribe(
      NFNLGRP_NFTABLES,
      (message) => {
        gatherer.take(message);
      },
      () => {
        gatherer.lost();
      },
      this.#socket.portId,
    );
    return () => {
      this.#monitors.delete(socket);
      socket.close();
    };
  }

  close(): void {
    for (const monitor of this.#monitors.keys()) monitor.close();
    this.#monitors.clear();
    this.#open = false;
    this.#reader?.close();
    this.#socket.close();
  }

  /** Sends a commit; monitors are told `lost` when somebody else committed while they could not listen. */
  async #transact(request: MessageWriter): Promise<Answer[]> {
    if (request.length < QUIET_BYTES || this.#monitors.size === 0) return this.#socket.transact(request);
    const deaf = [...this.#monitors];
    const before = readGeneration(this.#socket, this.#asking);
    for (const [monitor] of deaf) monitor.leave(NFNLGRP_NFTABLES);
    try {
      const answers = await this.#socket.transact(request);
      for (const [monitor] of deaf) monitor.join(NFNLGRP_NFTABLES);
      const ours = answers.every(({ code }) => code === 0) ? 1 : 0;
      // generations are counted in 32 bits, without 0
      const passed = (readGeneration(this.#socket, this.#asking) - before) >>> 0;
      if (passed !== ours) for (const [, gatherer] of deaf) gatherer.lost();
      return answers;
    } catch (error) {
      for (const [monitor, gatherer] of deaf) {
        monitor.join(NFNLGRP_NFTABLES);
        gatherer.lost();
      }
      throw error;
    }
  }

  #names(
    family: NfFamily,
    table: string,
    get: number,
    told: number,
    nameAttribute: number,
    wanted: (found: Attributes) => boolean,
  ): Promise<readonly string[]> {
    const tried = ['nf_tables', 'list', family, table];
    return this.#dumpWhole(tried, async (reader) => {
      const names: string[] = [];
      // without the table's name, so that a table that is not there is not an error
      const request = this.#request(reader, get, NLM_F_DUMP, family).end();
      const { interrupted } = await reader.dump(request, tried, ({ type, payload }) => {
        if (type !== told) return;
        const found = attributes(payload, 4);
        if (text(found.get(1)) === table && wanted(found)) names.push(text(found.get(nameAttribute)));
      });
      return interrupted ? undefined : names;
    });
  }

  /**
   * Repeats `dump` until it gives an answer and the generation is the same before and after it. When commits of our own keep coming between, they are
   * made to wait.
   */
  #dumpWhole<T>(tried: readonly string[], dump: (reader: NetlinkSocket) => Promise<T | undefined>): Promise<T> {
    if (!this.#open) return Promise.reject(new NetlinkError(tried, 'EBADF', 'the socket is closed'));
    const reader = (this.#reader ??= new NetlinkSocket(NETLINK_NETFILTER));
    const attempt = async () => {
      const before = readGeneration(reader, this.#asking);
      const found = await dump(reader);
      return readGeneration(reader, this.#asking) === before ? found : undefined;
    };
    return reader.exclusive(async () => {
      for (let tries = 1; tries <= DUMP_TRIES; tries++) {
        const found = await (tries <= POLITE_TRIES ? attempt() : this.#socket.exclusive(attempt));
        if (found !== undefined) return found;
        await setTimeout(tries);
      }
      throw new NetlinkError(tried, 'EINTR', `it changed during each of ${String(DUMP_TRIES)} dumps`);
    });
  }

  /** Sent at once: the writer is shared by all but commits, which may lie ready in theirs. */
  #request(socket: NetlinkSocket, type: number, flags: number, family: NfFamily): MessageWriter {
    return this.#asking
      .reset()
      .begin(type, NLM_F_REQUEST | flags, socket.nextSeq())
      .nfgen(familyNumbers[family]);
  }
}

/** Different for different elements of a set. Not for eyes. */
function nameOf({ key, keyEnd, intervalEnd }: SetElement): string {
  return (keyEnd ? latin1(key) + latin1(keyEnd) : latin1(key)) + (intervalEnd ? '$' : '');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function refusal(tried: readonly string[], failed: Answer, batch: Batch, request: MessageWriter): NetlinkError {
  const change = batch.changes[(failed.seq - batch.firstSeq - 1) >>> 0];
  const code = errnoName(failed.code);
  if (!change) return new NetlinkError(tried, code, failed.detail);
  if ('what' in change) return new NetlinkError([...tried, change.op, change.what], code, failed.detail);
  const key = refusedKey(request, failed);
  return new NetlinkError(
    [...tried, change.op, change.set],
    code,
    [key && `key ${key}`, failed.detail].filter(Boolean).join(', '),
  );
}

/** The kernel tells where in the message the element is that it refused; its key in hexadecimal is what helps. */
function refusedKey({ buffer, length }: MessageWriter, { seq, offset }: Answer): string {
  if (offset === undefined) return '';
  for (let at = 0; at + 16 <= length; at += (buffer.readUInt32LE(at) + 3) & ~3) {
    if (buffer.readUInt32LE(at + 8) !== seq) continue;
    const element = at + offset;
    let key = '';
    if (element + 4 <= length)
      eachAttribute(buffer, element + 4, element + buffer.readUInt16LE(element), (type, from, to) => {
        if (type === 1 && key === '' && from + 4 <= to)
          key = buffer.toString('hex', from + 4, Math.min(to, from + buffer.readUInt16LE(from)));
      });
    return key;
  }
  return '';
}
