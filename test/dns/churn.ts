/**
 * Services that come, change and go while their names are asked for: every answer is held against the history of what was true. The API server
 * and the DNS server are processes of their own; the writers and the asker are here, and all speak through sockets.
 */
import { ApiError, isNotFound } from '../../src/api/api-error.ts';
import { ENDPOINT_SLICES, SERVICES } from '../../src/api/kinds.ts';
import type { EndpointSlice, Service } from '../../src/api/types.ts';
import type { Client } from '../../src/client/client.ts';
import { eventually } from '../support/eventually.ts';
import type { Asker } from './asker.ts';
import { RunQueue } from './run-queue.ts';
import { Truth, type Value } from './truth.ts';

const NAMESPACE = 'default';
const SUFFIX = `${NAMESPACE}.svc.cluster.local.`;
const now = (): number => performance.timeOrigin + performance.now();

/** Questions under way at once: far fewer than a socket's buffer holds, so that none is dropped while the machine is busy elsewhere. */
const MOST_ASKED = 64;

type Sort = 'address' | 'alias' | 'headless';
const SORTS: readonly Sort[] = ['address', 'alias', 'headless'];

export interface Name {
  readonly service: string;
  readonly sort: Sort;
  readonly truth: Truth;
  isBusy: boolean;
  changes: number;
}

export interface ChurnOptions {
  readonly client: Client;
  readonly asker: Asker;
  /** The API server and the DNS server, as far as they live throughout. */
  readonly pids: readonly number[];
  readonly changesPerSecond: number;
  readonly questionsPerSecond: number;
  readonly seconds: number;
}

export interface ChurnReport {
  readonly changes: number;
  /** Writes of which it was not known at first whether they happened. */
  readonly unknown: number;
  readonly questions: number;
  readonly lost: number;
  /** ms that the longest answer took, and without the time for which the processes waited for a processor. */
  readonly slowest: number;
  readonly slowestOwn: number;
  /** Answers that nothing could explain. */
  readonly neverTrue: readonly string[];
  /** Answers that had ended before the question was asked: how many, and ms since then of the worst. */
  readonly stale: number;
  readonly worst: number;
  /** The worst of all without the time for which the processes waited for a processor, ms. */
  readonly worstOwn: number;
}

/**
 * The objects of `count` names, and the names; a Service of each sort in turn.
 * @param client of an API server without a socket is quickest
 */
export async function seed(client: Client, count: number): Promise<Name[]> {
  const names = Array.from({ length: count }, (_, at): Name => {
    const sort = SORTS[at % SORTS.length] ?? 'address';
    return { service: `s${String(at)}`, sort, truth: new Truth('NXDOMAIN'), isBusy: false, changes: 0 };
  });
  const left = [...names];
  const work = async (): Promise<void> => {
    for (let name = left.pop(); name; name = left.pop()) {
      if (name.sort === 'headless') await client.create(SERVICES, serviceOf(name));
      await change(client, name);
    }
  };
  await Promise.all(Array.from({ length: 64 }, work));
  return names;
}

export async function churn(names: readonly Name[], options: ChurnOptions): Promise<ChurnReport> {
  const { client, asker, seconds, changesPerSecond, questionsPerSecond } = options;
  const queue = new RunQueue([...options.pids, process.pid]);
  const report = {
    changes: 0,
    unknown: 0,
    questions: 0,
    lost: 0,
    slowest: 0,
    slowestOwn: 0,
    stale: 0,
    worst: 0,
    worstOwn: 0,
  };
  const neverTrue: string[] = [];
  const recent: Name[] = [];
  const underWay = { writes: new Set<Promise<void>>(), asks: new Set<Promise<void>>() };
  const write = async () => {
    const name = pick(names);
    if (name.isBusy) return;
    recent.push(name);
    if (recent.length > 50) recent.shift();
    if (!(await change(client, name))) report.unknown++;
    report.changes++;
  };
  const ask = async () => {
    const name = recent.length > 0 && Math.random() < 0.5 ? pick(recent) : pick(names);
    report.questions++;
    const asked = now();
    const value = await asker.ask(...questionOf(name));
    if (value === undefined) {
      report.lost++;
      return;
    }
    const heard = now();
    if (heard - asked > report.slowestOwn) {
      report.slowest = Math.max(report.slowest, heard - asked);
      report.slowestOwn = Math.max(report.slowestOwn, heard - asked - queue.waited(asked, heard));
    }
    const judgement = name.truth.judge(value, asked, heard);
    if (!judgement.isTrue) neverTrue.push(`${name.service} was ${value}, and now is ${name.truth.now}`);
    else if (judgement.staleness > 0) {
      const { staleness, until } = judgement;
      report.stale++;
      report.worst = Math.max(report.worst, staleness);
      report.worstOwn = Math.max(report.worstOwn, staleness - queue.waited(until, asked));
    }
  };
  await onTheBeat(seconds, (elapsed) => {
    const { writes, asks } = underWay;
    for (let due = elapsed * changesPerSecond - report.changes - writes.size; due >= 1; due--) keep(writes, write());
    for (let due = elapsed * questionsPerSecond - report.questions; due >= 1 && asks.size < MOST_ASKED; due--) {
      keep(asks, ask());
    }
  });
  await Promise.all([...underWay.writes, ...underWay.asks]);
  queue.stop();
  return { ...report, neverTrue };
}

function keep(set: Set<Promise<void>>, work: Promise<void>): void {
  set.add(work);
  const done = () => {
    set.delete(work);
  };
  work.then(done, done);
}

/** What the asker hears of each name now, where that is not what was written last. */
export async function disagreements(asker: Asker, names: readonly Name[]): Promise<string[]> {
  const wrong: string[] = [];
  for (let at = 0; at < names.length; at += MOST_ASKED) {
    const some = names.slice(at, at + MOST_ASKED);
    const values = await Promise.all(some.map((name) => asker.ask(...questionOf(name))));
    for (const [index, name] of some.entries()) {
      const value = values[index] ?? 'no answer';
      if (value !== name.truth.now) wrong.push(`${name.service} is ${name.truth.now}, not ${value}`);
    }
  }
  return wrong;
}

export const questionOf = ({ service, sort }: Name): [name: string, type: 'A' | 'CNAME'] => [
  `${service}.${SUFFIX}`,
  sort === 'alias' ? 'CNAME' : 'A',
];

/**
 * One change that shows in the answers: a Service comes or goes, an alias leads elsewhere, endpoints are others, or none. False: the API
 * server went away meanwhile, and was asked later what it made of it.
 */
export async function change(client: Client, name: Name): Promise<boolean> {
  name.isBusy = true;
  name.changes++;
  const next = valueAfter(name);
  const write = name.truth.sent(next, now());
  let isKnown = true;
  try {
    await apply(client, name, next);
    write.acknowledged(now());
  } catch (error) {
    if (error instanceof ApiError && error.code < 500) throw error;
    isKnown = false;
    if ((await eventually(() => read(client, name))) === next) write.acknowledged(now());
    else write.failed();
  }
  name.isBusy = false;
  return isKnown;
}

function valueAfter(name: Name): Value {
  switch (name.sort) {
    case 'alias':
      return `CNAME ${targetOf(name)}.`;
    case 'headless':
      return endpointsOf(name).join(' ') || 'NXDOMAIN';
    case 'address':
      return name.truth.now === 'NXDOMAIN' ? freeAddress(name) : 'NXDOMAIN';
  }
}

async function apply(client: Client, name: Name, next: Value): Promise<void> {
  const isFirst = name.changes === 1;
  if (name.sort === 'headless') {
    const slice = sliceOf(name);
    await (isFirst ? client.create(ENDPOINT_SLICES, slice) : client.update(ENDPOINT_SLICES, slice));
  } else if (name.sort === 'alias') {
    const service = serviceOf(name);
    await (isFirst ? client.create(SERVICES, service) : client.update(SERVICES, service));
  } else if (next === 'NXDOMAIN') await client.delete(SERVICES, name.service, NAMESPACE);
  else await client.create(SERVICES, serviceOf(name, next));
}

/** What the API has of it now. */
async function read(client: Client, { service: name, sort }: Name): Promise<Value> {
  try {
    if (sort === 'headless') {
      const { endpoints } = await client.get(ENDPOINT_SLICES, name, NAMESPACE);
      return (endpoints ?? []).flatMap(({ addresses }) => addresses).join(' ') || 'NXDOMAIN';
    }
    const { spec } = await client.get(SERVICES, name, NAMESPACE);
    return sort === 'alias' ? `CNAME ${spec.externalName ?? ''}.` : (spec.clusterIP ?? '');
  } catch (error) {
    if (isNotFound(error)) return 'NXDOMAIN';
    throw error;
  }
}

const targetOf = ({ changes }: Name): string => `target${String(changes)}.example`;

/** One for each name, in 10.96.0.0/16 and not among the first 256, which the server gives out itself. */
const freeAddress = ({ service }: Name): string => {
  const number = 512 + Number(service.slice(1));
  return `10.96.${String(number >> 8)}.${String(number & 255)}`;
};

/** From none to three. */
function endpointsOf({ changes }: Name): string[] {
  return Array.from({ length: changes % 4 }, (_, at) => `10.244.${String(changes % 250)}.${String(at + 1)}`);
}

function serviceOf(name: Name, clusterIP?: string): Service {
  const { service, sort } = name;
  const metadata = { name: service, namespace: NAMESPACE };
  if (sort === 'alias') {
    return { metadata, spec: { type: 'ExternalName', externalName: targetOf(name) } };
  }
  const ports = [{ name: 'http', protocol: 'TCP' as const, port: 80 }];
  return { metadata, spec: { ...(sort === 'headless' ? { clusterIP: 'None' } : { clusterIP }), ports } } as Service;
}

function sliceOf(name: Name): EndpointSlice {
  return {
    metadata: { name: name.service, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': name.service } },
    addressType: 'IPv4',
    endpoints: endpointsOf(name).map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  };
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

/** Calls `act` every few milliseconds with the seconds since the start. */
async function onTheBeat(seconds: number, act: (elapsed: number) => void): Promise<void> {
  const began = performance.now();
  for (;;) {
    const elapsed = (performance.now() - began) / 1000;
    if (elapsed >= seconds) return;
    act(elapsed);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
