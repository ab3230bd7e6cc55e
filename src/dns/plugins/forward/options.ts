/** `forward FROM TO... { … }` as it is written (feature 4-051). Pure: files are named, not read. */
import type { Place, Directive } from '../../corefile/directive.ts';
import { expectArgs, expectDuration, expectNoBody, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import { zonesOf } from '../../corefile/server-key.ts';
import { RCODE } from '../../wire/message.ts';
import { POLICIES, type PolicyName } from './policy.ts';
import { MOST_UPSTREAMS } from './resolv-conf.ts';
import { parseUpstream, type Upstream } from './upstream.ts';

export interface ForwardOptions {
  readonly place: Place;
  /** Lower case, with the final dot. */
  readonly from: string;
  /** In the order they stand: servers, and files of `nameserver` lines. */
  readonly to: readonly (Upstream | { readonly file: string })[];
  /** Zones that are left to the next plugin. */
  readonly except: readonly string[];
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  readonly expireMs: number;
  /** 0: any number. */
  readonly maxIdle: number;
  /** 0: any age. */
  readonly maxAgeMs: number;
  readonly maxFails: number;
  /** 0: as many as the time allows. */
  readonly maxAttempts: number;
  readonly policy: PolicyName;
  readonly health: { readonly intervalMs: number; readonly recursionDesired: boolean; readonly name: string };
  /** 0: none was set. */
  readonly maxConcurrent: number;
  /** Codes that the next `forward` of the block is asked for. */
  readonly next: ReadonlySet<number>;
  readonly nextOnNodata: boolean;
  /** Codes that the next upstream is asked for. */
  readonly failover: ReadonlySet<number>;
  /** SERVFAIL when no upstream is well, rather than trying one. */
  readonly failsFast: boolean;
  /** Files. */
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca?: string };
  readonly serverName?: string;
}

type Draft = { -readonly [Key in keyof ForwardOptions]: ForwardOptions[Key] };

/** @throws CorefileError */
export function parseForward(directive: Directive): ForwardOptions {
  const [from = '', ...to] = expectArgs(directive, 2, Infinity, 'a zone and the servers to ask, as . /etc/resolv.conf');
  const draft: Draft = {
    ...DEFAULTS,
    place: directive.place,
    from: zonesOf(from, directive.place)[0] ?? '.',
    to: to.map((text) => parseTo(directive, text)),
  };
  readOptions(directive, readersFor(draft));
  expectFew(directive, draft);
  expectOneServerName(directive, draft);
  return draft;
}

const DEFAULTS = {
  except: [],
  forceTcp: false,
  preferUdp: false,
  expireMs: 10_000,
  maxIdle: 0,
  maxAgeMs: 0,
  maxFails: 2,
  maxAttempts: 0,
  policy: 'random',
  health: { intervalMs: 500, recursionDesired: true, name: '.' },
  maxConcurrent: 0,
  next: new Set<number>(),
  nextOnNodata: false,
  failover: new Set<number>(),
  failsFast: false,
  tls: {},
} as const;

function parseTo(directive: Directive, text: string): Upstream | { file: string } {
  if (/^\.{0,2}\//.test(text)) return { file: text };
  const upstream = parseUpstream(text);
  return 'reason' in upstream ? refuse(directive, upstream.reason) : upstream;
}

function expectFew(directive: Directive, { to }: Draft): void {
  if (to.length > MOST_UPSTREAMS)
    refuse(directive, `more than ${String(MOST_UPSTREAMS)} servers: ${String(to.length)}`);
}

function expectOneServerName(directive: Directive, { to, serverName }: Draft): void {
  const own = to.some((each) => 'address' in each && each.serverName !== undefined);
  if (own && serverName !== undefined)
    refuse(directive, 'a name behind % and tls_servername contradict each other: take one of them');
}

type Readers = Readonly<Record<string, (option: Directive) => void>>;

function readersFor(draft: Draft): Readers {
  return { ...whoReaders(draft), ...howReaders(draft), ...unserved };
}

/** Options that say which questions are asked of whom. */
function whoReaders(draft: Draft): Readers {
  return {
    except(option) {
      const zones = expectArgs(option, 1, Infinity, 'zones').flatMap((zone) => zonesOf(zone, option.place));
      draft.except = [...draft.except, ...zones];
    },
    policy(option) {
      const [name] = expectArgs(option, 1, 1, POLICIES.join(', '));
      draft.policy =
        POLICIES.find((each) => each === name) ??
        refuse(option, `expected ${POLICIES.join(', ')}, found "${name ?? ''}"`);
    },
    health_check(option) {
      draft.health = parseHealthCheck(option);
    },
    max_fails: (option) => void (draft.maxFails = oneNumber(option, 0)),
    max_connect_attempts: (option) => void (draft.maxAttempts = oneNumber(option, 0)),
    max_concurrent: (option) => void (draft.maxConcurrent = oneNumber(option, 0)),
    next: (option) => void (draft.next = parseCodes(option)),
    next_on_nodata: (option) => void (draft.nextOnNodata = flag(option)),
    failover(option) {
      draft.failover = parseCodes(option);
      if (draft.failover.has(RCODE.NOERROR)) refuse(option, 'NOERROR is an answer, there is nothing to fail over from');
    },
    failfast_all_unhealthy_upstreams: (option) => void (draft.failsFast = flag(option)),
  };
}

/** Options that say how they are asked. */
function howReaders(draft: Draft): Readers {
  return {
    force_tcp: (option) => void (draft.forceTcp = flag(option)),
    prefer_udp: (option) => void (draft.preferUdp = flag(option)),
    expire: (option) => void (draft.expireMs = oneDuration(option)),
    max_idle_conns: (option) => void (draft.maxIdle = oneNumber(option, 0)),
    max_age: (option) => void (draft.maxAgeMs = oneDuration(option)),
    tls(option) {
      const files = expectArgs(option, 0, 3, 'CERT KEY CA, CERT KEY, CA or nothing');
      const [first = '', second = '', third] = files;
      if (files.length === 1) draft.tls = { ca: first };
      else if (files.length > 1) draft.tls = { cert: first, key: second, ...(third !== undefined && { ca: third }) };
    },
    tls_servername(option) {
      const [name = ''] = expectArgs(option, 1, 1, 'the name in the servers’ certificates');
      draft.serverName = name;
    },
  };
}

/** Options that CoreDNS knows and Fairway does not. */
const unserved: Readers = {
  resolver: (option) => refuse(option, 'upstreams are named by address here, there is nothing to resolve'),
  doh_method: (option) => refuse(option, 'Fairway does not ask over HTTPS'),
};

function parseHealthCheck(option: Directive): ForwardOptions['health'] {
  const [duration, ...rest] = expectArgs(option, 1, 4, 'a time, and no_rec and domain NAME if wanted');
  const intervalMs = notNegative(option, expectDuration(option, duration));
  let recursionDesired = true;
  let name = '.';
  for (let at = 0; at < rest.length; at++) {
    if (rest[at] === 'no_rec') recursionDesired = false;
    else if (rest[at] === 'domain' && rest[at + 1] !== undefined)
      name = zonesOf(rest[++at] ?? '', option.place)[0] ?? '.';
    else refuse(option, `expected no_rec or domain NAME, found "${rest[at] ?? ''}"`);
  }
  return { intervalMs, recursionDesired, name };
}

function oneNumber(option: Directive, least: number): number {
  const [text] = expectArgs(option, 1, 1, 'a number');
  expectNoBody(option);
  return expectNumber(option, text, least, 2 ** 31 - 1);
}

function oneDuration(option: Directive): number {
  const [text] = expectArgs(option, 1, 1, 'a time');
  return notNegative(option, expectDuration(option, text));
}

function notNegative(option: Directive, ms: number): number {
  return ms < 0 ? refuse(option, 'the time cannot be negative') : ms;
}

function flag(option: Directive): true {
  expectArgs(option, 0, 0, 'nothing behind it');
  expectNoBody(option);
  return true;
}

/** All that a server may send (RFC 1035, 2136, 6891). */
const CODES = new Map<string, number>([
  ...Object.entries(RCODE),
  ['YXDOMAIN', 6],
  ['YXRRSET', 7],
  ['NXRRSET', 8],
  ['NOTAUTH', 9],
  ['NOTZONE', 10],
]);

function parseCodes(option: Directive): Set<number> {
  const names = expectArgs(option, 1, Infinity, 'codes such as NXDOMAIN');
  return new Set(
    names.map(
      (name) =>
        CODES.get(name.toUpperCase()) ??
        refuse(option, `"${name}" is no code, there are ${[...CODES.keys()].join(', ')}`),
    ),
  );
}
