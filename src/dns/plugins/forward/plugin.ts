/** `forward FROM TO...`: names of the rest of the world, from other servers (feature 4-051). Several in a block are asked in their order. */
import { readSmallFile } from '../../../lib/small-file.ts';
import { createSecureContext, type SecureContext } from 'node:tls';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { expectMayRead } from '../../file-fence.ts';
import type { Block, Handler, Plugin, Query, Reply, Runtime } from '../../plugin.ts';
import { EXTENDED_ERROR, withExtendedError } from '../../wire/extended-error.ts';
import { RCODE, replyTo, TYPE } from '../../wire/message.ts';
import { isInZone } from '../../routing/zone-list.ts';
import { forwardMetrics } from './forward-metrics.ts';
import { Forwarder, type Forwarded } from './forwarder.ts';
import { parseForward, type ForwardOptions } from './options.ts';
import { asAsked } from './relevant.ts';
import type { Ask } from './upstream-client.ts';
import { UpstreamSource, USUAL_FILE } from './upstream-source.ts';

/** Bytes of what is told to an asker about servers that failed: a failure must not be much larger than its question. */
const MOST_WORDS = 120;

/** One `forward` line, set up. */
interface Stanza {
  readonly options: ForwardOptions;
  readonly source: UpstreamSource;
  readonly secureContext: SecureContext | undefined;
  /** Made in `start`, when its files have been read. */
  forwarder: Forwarder | undefined;
}

export const forwardPlugin: Plugin = {
  name: 'forward',
  setup(directives, block) {
    const stanzas = directives.map((directive) => makeStanza(parseForward(directive), block));
    return {
      get recurses() {
        return stanzas.some(({ forwarder }) => forwarder?.hasUpstreams === true);
      },
      wrap: (next) => stanzas.reduceRight((rest, stanza, at) => handle(stanza, rest, at + 1 < stanzas.length), next),
      async start() {
        for (const stanza of stanzas) await startStanza(stanza, block);
      },
      stop() {
        for (const { source, forwarder } of stanzas) {
          source.close();
          forwarder?.stop();
        }
        return Promise.resolve();
      },
    };
  },
};

function makeStanza(options: ForwardOptions, { runtime, server }: Block): Stanza {
  const written = Number(/:(\d+)$/.exec(server)?.[1] ?? 53);
  const ownPort = written === 53 ? (runtime.ownPort ?? 53) : written;
  const { log, clock, resolvConf, ownAddresses: own } = runtime;
  expectFiles(options, runtime);
  const secureContext = readSecureContext(options);
  const source = new UpstreamSource({ forward: options, log, clock, resolvConf, own, ownPort });
  return { options, source, secureContext, forwarder: undefined };
}

async function startStanza(stanza: Stanza, { runtime }: Block): Promise<void> {
  const { options, source, secureContext } = stanza;
  const { clock, random, log } = runtime;
  const metrics = forwardMetrics(runtime.metrics);
  const forwarder = new Forwarder({ options, clock, random, log, metrics, ...(secureContext && { secureContext }) });
  stanza.forwarder = forwarder;
  const upstreams = await source.open((changed) => {
    forwarder.use(changed);
  });
  forwarder.use(upstreams);
}

/** Whoever only checks a Corefile is told of a missing file too. @throws CorefileError */
function expectFiles({ to, tls, place }: ForwardOptions, runtime: Runtime): void {
  for (const file of [tls.cert, tls.key, tls.ca]) {
    if (file === undefined) continue;
    const instead = 'without one the authorities of the system are trusted';
    expectMayRead(runtime, { by: 'forward: tls', file, instead, place });
  }
  for (const each of to) {
    if (!('file' in each)) continue;
    const { file } = each;
    expectMayRead(runtime, { by: 'forward', file, instead: 'write the addresses of the servers', place });
    if (file === USUAL_FILE) continue;
    try {
      readSmallFile(file);
    } catch {
      throw new CorefileError(place, `forward: cannot read ${file}`);
    }
  }
}

/** Undefined: the system's authorities, no certificate of one's own. @throws CorefileError */
function readSecureContext({ tls, place }: ForwardOptions): SecureContext | undefined {
  const { cert, key, ca } = tls;
  if (cert === undefined && ca === undefined) return undefined;
  try {
    const [certText, keyText, caText] = [cert, key, ca].map(readIfNamed);
    return createSecureContext({
      ...(certText && { cert: certText }),
      ...(keyText && { key: keyText }),
      ...(caText && { ca: caText }),
    });
  } catch (error) {
    throw new CorefileError(place, `forward: tls: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const readIfNamed = (file: string | undefined): Buffer | undefined =>
  file === undefined ? undefined : readSmallFile(file);

/** @param isFollowed by another `forward`, which `next` is for */
function handle(stanza: Stanza, next: Handler, isFollowed: boolean): Handler {
  return async (query) => {
    const { options, forwarder } = stanza;
    const { question, message, asker } = query;
    const isTheirs = isInZone(question.name, options.from) && !isExcepted(question.name, options);
    if (!isTheirs) return next(query);
    if (question.type === TYPE.ANY && asker.transport === 'udp') return overTcpOnly(query);
    if (!forwarder?.hasUpstreams) return nobodyToAsk(query);
    const found = await forwarder.ask(askOf(query, options), asker.address);
    const { upstream } = found;
    if (upstream !== undefined) query.metadata?.set('forward/upstream', () => upstream);
    for (const text of found.steps) query.trail?.push({ plugin: 'forward', text });
    if (!found.reply) {
      const problem = found.steps.join(', ');
      const refusal = replyTo(message, found.rcode);
      const told = withExtendedError(
        refusal,
        message,
        EXTENDED_ERROR.NO_REACHABLE_AUTHORITY,
        problem.slice(0, MOST_WORDS),
      );
      return { message: told, from: 'forward', transient: true, problem };
    }
    if (isFollowed && goesOn(found, options)) return next(query);
    return toldBy(found, query);
  };
}

/** The zone itself is never excepted, as in CoreDNS. */
const isExcepted = (name: string, { from, except }: ForwardOptions): boolean =>
  name.toLowerCase() !== from && except.some((zone) => isInZone(name, zone));

function askOf({ question, message, asker }: Query, { forceTcp, preferUdp }: ForwardOptions): Ask {
  return {
    question,
    overTcp: forceTcp || (asker.transport === 'tcp' && !preferUdp),
    recursionDesired: message.recursionDesired,
    dnssecOk: message.edns?.dnssecOk === true,
    checkingDisabled: message.checkingDisabled === true,
    authenticData: message.authenticData === true,
  };
}

/** ANY is what amplifies most: whoever means it can ask over TCP, where no sender is forged (RFC 8482, 4.4). */
const overTcpOnly = ({ message }: Query): Reply => ({
  message: { ...replyTo(message, RCODE.NOERROR), truncated: true },
  from: 'forward',
  transient: true,
});

/** An address that nothing in the cluster has, has no name then; other names fail. */
function nobodyToAsk({ message, question, trail }: Query): Reply {
  trail?.push({ plugin: 'forward', text: 'there is no upstream to ask' });
  const rcode = isInZone(question.name, 'arpa.') ? RCODE.NXDOMAIN : RCODE.SERVFAIL;
  const problem = rcode === RCODE.SERVFAIL ? { problem: 'there is no upstream to ask' } : {};
  return { message: replyTo(message, rcode), from: 'forward', transient: true, ...problem };
}

function goesOn({ reply, rcode }: Forwarded, { next, nextOnNodata }: ForwardOptions): boolean {
  return next.has(rcode) || (nextOnNodata && rcode === RCODE.NOERROR && reply?.answers.length === 0);
}

/** AD is for askers that said they know it (RFC 6840, 5.8). */
function toldBy({ reply, rcode, upstream }: Forwarded, { message, question }: Query): Reply {
  const knowsAd = message.edns?.dnssecOk === true || message.authenticData === true;
  const sections = reply && asAsked(question, reply);
  return {
    message: {
      ...replyTo(message, rcode),
      ...sections,
      questions: [question],
      authoritative: reply?.authoritative === true,
      authenticData: knowsAd && reply?.authenticData === true,
      truncated: reply?.truncated === true,
    },
    from: 'forward',
    ...(upstream !== undefined && { source: upstream }),
  };
}
