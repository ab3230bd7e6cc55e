/**
 * The API servers that share a store, by a Lease each: so that default/kubernetes leads to all of them, and to none that has died
 * (features 1-135, 1-137). Where nobody shares, there is one, and nothing is written.
 */
import { LEASES } from '../api/kinds.ts';
import type { Lease } from '../api/types.ts';
import { timestamp } from '../lib/clock.ts';
import { sha256Base32 } from '../lib/hash.ts';
import { joinHostPort } from '../lib/ip.ts';
import type { Core } from './core.ts';
import { encodeStored } from './entry.ts';
import { keyOf, prefixOf } from './keys.ts';

export interface Peer {
  readonly address: string;
  readonly port: number;
}

const NAMESPACE = 'kube-system';
const IDENTITY = 'apiserver.kubernetes.io/identity';
const LABELS = { [IDENTITY]: 'kube-apiserver' };
/** Seconds without a sign of life, at one every ten. */
const LIFETIME = 25;

export class Peers {
  readonly #core: Core;
  readonly #own: Peer;
  readonly #identity: { readonly uid: string; readonly creationTimestamp: string };
  /** Lease name -> the last revision seen and when, by this machine's clock: those of others may be wrong. */
  readonly #seen = new Map<string, { revision: number; at: number }>();

  constructor(core: Core, own: Peer) {
    this.#core = core;
    this.#own = own;
    this.#identity = { uid: core.newUid(), creationTimestamp: timestamp(core.clock.now()) };
  }

  /** A sign of life. */
  async renew(): Promise<void> {
    if (!this.#core.store.shared) return;
    const name = nameOf(this.#own);
    const now = this.#core.clock.now();
    const object: Lease = {
      metadata: { name, namespace: NAMESPACE, ...this.#identity, labels: LABELS },
      spec: {
        holderIdentity: joinHostPort(this.#own.address, this.#own.port),
        leaseDurationSeconds: LIFETIME,
        renewTime: new Date(now).toISOString().replace('Z', '000Z'),
      },
    };
    const value = encodeStored(LEASES, object);
    await this.#core.store.commit([{ type: 'put', key: keyOf(LEASES, NAMESPACE, name), value }]);
  }

  /** Those that live, this one too, in the order of their addresses. */
  alive(): Peer[] {
    if (!this.#core.store.shared) return [this.#own];
    const now = this.#core.clock.now();
    const peers = new Map([[nameOf(this.#own), this.#own]]);
    for (const { object, revision } of this.#core.cache.of(LEASES).range(`${prefixOf(LEASES)}${NAMESPACE}/`)) {
      const { metadata, spec } = object as Lease;
      const peer = metadata.labels?.[IDENTITY] === LABELS[IDENTITY] ? parsePeer(spec?.holderIdentity ?? '') : undefined;
      if (!peer) continue;
      const before = this.#seen.get(metadata.name);
      const seen = before?.revision === revision ? before : { revision, at: now };
      this.#seen.set(metadata.name, seen);
      if (now - seen.at < LIFETIME * 1000) peers.set(metadata.name, peer);
    }
    return [...peers.values()].sort((a, b) =>
      joinHostPort(a.address, a.port) < joinHostPort(b.address, b.port) ? -1 : 1,
    );
  }

  /** This one ends. The others that live. */
  async leave(): Promise<Peer[]> {
    if (!this.#core.store.shared) return [];
    const name = nameOf(this.#own);
    const others = this.alive().filter((peer) => nameOf(peer) !== name);
    await this.#core.store.commit([{ type: 'delete', key: keyOf(LEASES, NAMESPACE, name) }]);
    return others;
  }
}

const nameOf = ({ address, port }: Peer): string =>
  `apiserver-${sha256Base32(joinHostPort(address, port), 26).toLowerCase()}`;

function parsePeer(text: string): Peer | undefined {
  const match = /^\[?([0-9a-fA-F.:]+?)\]?:(\d{1,5})$/.exec(text);
  return match?.[1] === undefined ? undefined : { address: match[1], port: Number(match[2]) };
}
