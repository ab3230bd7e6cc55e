/**
 * What a plugin of the DNS server is. A Corefile's server block names plugins; each reads its own directives once (`setup`) and then
 * stands in a chain: it answers a query itself, or hands it to the one after it. The order of the chain is fixed (`plugins/index.ts`), as in
 * CoreDNS, whatever the order in the file.
 */
import type { Client } from '../client/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Directive } from './corefile/directive.ts';
import type { HttpFaces } from './http-faces.ts';
import type { DnsMetrics } from './metrics.ts';
import type { QueryTap } from './query-log/tap.ts';
import type { Message, Question } from './wire/message.ts';

/** Who asks. */
export interface Asker {
  /** Canonical, without a zone index. */
  readonly address: string;
  readonly port: number;
  readonly transport: 'udp' | 'tcp';
}

export interface Query {
  /** As it came in; has exactly one question, of class IN or one the chain refuses. */
  readonly message: Message;
  /** What is asked now: a plugin before may have rewritten it. */
  readonly question: Question;
  readonly asker: Asker;
  /** Milliseconds on the clock of the server, when it came in. */
  readonly at: number;
  /** What plugins know about it (feature 4-045), by name as `kubernetes/client-pod-name`; worked out only when somebody reads it. */
  readonly metadata?: Map<string, () => string>;
  /** Present when the asker wants to see how the answer came about: each plugin that has a part in it adds a line. */
  readonly trail?: TrailStep[];
}

/** One thing that happened on the way to an answer, in words for people. */
export interface TrailStep {
  /** The plugin, as the Corefile calls it. */
  readonly plugin: string;
  /** "10.244.1.3:53 answered NXDOMAIN in 2.1 ms". */
  readonly text: string;
}

/**
 * What an answer of the cluster was made from: `service/NAMESPACE/NAME` (the Service and its EndpointSlices, there or not yet),
 * `namespace/NAME`, `address/IP` (whoever has it), `pod/IP`, or `zone` (the serial and the name servers: changes with everything).
 */
export type Dependency = string;

export interface Reply {
  readonly message: Message;
  /** The plugin that answered: `kubernetes`, `forward`, `cache`, `hosts`, … */
  readonly from: string;
  /** More of where it came from, for people: an upstream's address, "stale, 12 s too old". */
  readonly source?: string;
  /**
   * Present: the answer is the same for everyone until one of these changes, and is then told by `Runtime.changes`. Such an answer is kept as a
   * packet in front of the whole chain when all plugins before this one are `transparent`.
   */
  readonly holds?: readonly Dependency[];
  /**
   * Present: what the cluster has to do with it, while the rest has a TTL: an alias out of the cluster with the addresses behind it, a name that
   * only others know until the cluster has it. The `cache` plugin may keep it for its TTL, and no longer than until one of these changes.
   */
  readonly until?: readonly Dependency[];
  /** Right for this asker and now only: nobody may keep it, the `cache` plugin included. Endpoints of the asker's zone, a failure. */
  readonly transient?: boolean;
  /** What went wrong on the way to it, in words for the log; the plugin `errors` writes it. */
  readonly problem?: string;
  /** `header`: flags that go out whatever the message says. */
  readonly flags?: Partial<Pick<Message, 'authoritative' | 'recursionAvailable' | 'recursionDesired'>>;
}

/** Undefined: no reply is sent at all. A handler that throws is answered SERVFAIL. */
export type Handler = (query: Query) => Reply | undefined | Promise<Reply | undefined>;

/** What a server block is, as far as a plugin may know. */
export interface Block {
  /** Lower case, with the final dot: `cluster.local.`, `.`. */
  readonly zones: readonly string[];
  /** As metrics call the server: `dns://:53`; with `bind` its first address: `dns://127.0.0.53:53`. */
  readonly server: string;
  readonly runtime: Runtime;
  /**
   * What the whole server answers to another question on the way to this query's answer: routed to the block of the longest zone and through its
   * chain, as the alias of an ExternalName Service or of a `rewrite` needs. The answer may be an alias that is to be followed in turn; who
   * looks up in the middle of a look-up gets SERVFAIL after a few levels. Undefined: nobody answers.
   */
  readonly lookUp?: (question: Question, query: Query) => Promise<Reply | undefined>;
}

/** What outlives a reload of the Corefile: plugins borrow it. */
export interface Runtime {
  readonly log: Log;
  readonly clock: Clock;
  /** 0 to 1, exclusive. */
  readonly random: () => number;
  /** The API server of the cluster where the process has one; a `kubernetes` plugin with `endpoint` or `kubeconfig` makes its own. */
  readonly client?: Client;
  /** A resolv.conf to read where the Corefile names `/etc/resolv.conf`. */
  readonly resolvConf: string;
  /** False: who wrote the Corefile may have no file of this machine read but the usual two (`file-fence.ts`). */
  readonly readsFiles?: boolean;
  /** Addresses this server listens at: never asked as upstreams. */
  readonly ownAddresses: readonly string[];
  /** The port that stands in for 53 of the Corefile; absent: 53 itself. */
  readonly ownPort?: number;
  /** The Node this runs on: its zone is the asker's. */
  readonly nodeName?: string;
  /** Which packets no longer hold. */
  readonly changes: ChangeFeed;
  /** Plugins add their own figures with CoreDNS' names (`metrics.add`), and count whether or not anybody reads them. */
  readonly metrics: DnsMetrics;
  /** The HTTP ports of `health`, `ready` and `prometheus`, shared by blocks and kept over a reload. */
  readonly faces: HttpFaces;
  /** Who listens to what is asked; packets in front of the chain are left out while somebody does. */
  readonly tap: QueryTap;
  /** What is wrong with the server that only another process could put right, by who says so: `health` then says 503. */
  readonly ailments: Map<string, string>;
  /** Names of plugins that are not ready yet. */
  readonly unready: () => readonly string[];
  /**
   * Told by `loop` that the upstreams forward to this server, with what to do; undefined: no longer. What they would be asked for gets SERVFAIL
   * meanwhile; a program that rather ends, as CoreDNS does, ends here.
   */
  readonly onLoop?: (message: string | undefined) => void;
}

/** Told before the change can be seen by a query: what is forgotten too early costs a little, what is kept too long is wrong. */
export interface ChangeFeed {
  /** `undefined` as the dependency: everything. Returns how to stop listening. */
  onChange(listener: (dependency: Dependency | undefined) => void): () => void;
  announce(dependency: Dependency | undefined): void;
}

/** A plugin of one server block, set up. */
export interface PluginInstance {
  /** Absent: it takes no part in answering (`health`, `ready`, `reload`). */
  readonly wrap?: (next: Handler) => Handler;
  /** Does nothing to an answer that `holds` but what packets in front of the chain do as well. */
  readonly transparent?: boolean;
  /** Adds what it knows of a query to `metadata`, before the chain begins; only in blocks with the plugin `metadata`. */
  readonly describe?: (query: Query, metadata: Map<string, () => string>) => void;
  /** What can only be told once all plugins of the block are set up; opens nothing. @throws CorefileError */
  readonly check?: () => void;
  /** Opens sockets, begins to watch. Rejects: the Corefile is not taken, and an old one stays. */
  readonly start?: () => Promise<void>;
  /** Before the server's sockets close. At the `end` of the program `lameduck` waits here; at a `reload` the new chain answers already. */
  readonly stop?: (why: 'end' | 'reload') => Promise<void>;
  /** False: `ready` says 503 and names the plugin (feature 4-057). */
  readonly isReady?: () => boolean;
  /** Resolves when `isReady` is true for the first time. */
  readonly whenReady?: Promise<void>;
  /** `metadata`: zones whose queries have their `metadata` filled by all plugins of the block before the chain begins. */
  readonly collectsFor?: readonly string[];
  /** `bufsize`: answers of the block over UDP have so many bytes at most, or what the asker takes if that is less. */
  readonly udpSize?: number;
  /** Takes questions of other classes than IN; without one in the block they are refused. */
  readonly anyClass?: boolean;
  /** Zones that are answered from a cluster, without the final dot: what its names end in. */
  readonly clusterZones?: readonly string[];
  /** Looks up names of the whole world: answers of the block say that recursion is available. */
  readonly recurses?: boolean;
}

export interface Plugin {
  /** As the Corefile writes it. */
  readonly name: string;
  /**
   * @param directives all of this name in the block, in order; at least one
   * @throws CorefileError with file, line and what would be right
   */
  setup(directives: readonly Directive[], block: Block): PluginInstance;
}
