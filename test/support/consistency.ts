/**
 * Clients that read, compare-and-set, create and delete a few objects through the API while a killer is at work, and the verdict on what they
 * saw. Each write is conditional on the resourceVersion that the client read before.
 */
import assert from 'node:assert/strict';
import { ApiError } from '../../src/api/api-error.ts';
import { CONFIG_MAPS, NAMESPACES } from '../../src/api/kinds.ts';
import type { ConfigMap } from '../../src/api/types.ts';
import type { HttpClient } from '../../src/client/http-client.ts';
import { eventually } from './eventually.ts';
import { backwards, checkHistory, describe, type Op, type Stamp } from './linearizability.ts';
import type { ServerProcess } from './server.ts';

const NAMESPACE = 'default';
/** Few, so that clients are in each other's way. */
const KEYS = ['x', 'y', 'z'];
const CLIENTS = 6;

interface Seen {
  readonly value: string;
  readonly version: string;
}

/** What all clients did and heard. */
class History {
  readonly ops: Op[] = [];
  readonly writes: Stamp[] = [];
  readonly #valueOf = new Map<string, string>();
  acknowledged = 0;
  unknown = 0;
  #awaited: { readonly count: number; readonly wake: () => void }[] = [];

  more(writes: number): Promise<void> {
    return new Promise((wake) => this.#awaited.push({ count: this.acknowledged + writes, wake }));
  }

  /** A version stands for one value for ever. */
  saw({ metadata, data }: ConfigMap): Seen {
    const value = data?.['value'] ?? '';
    const version = metadata.resourceVersion ?? '';
    assert.equal(this.#valueOf.get(version) ?? value, value, `resourceVersion ${version} stands for two values`);
    this.#valueOf.set(version, value);
    return { value, version };
  }

  wrote({ version }: Seen, invoked: number): void {
    this.writes.push({ version: Number(version), invoked, responded: performance.now() });
  }

  add(op: Op): void {
    this.ops.push(op);
    if (op.type === 'read') return;
    if (op.outcome === 'ok') {
      this.acknowledged += 1;
      this.#awaited = this.#awaited.filter(({ count, wake }) => {
        if (count > this.acknowledged) return true;
        wake();
        return false;
      });
    }
    if (op.outcome === 'unknown') this.unknown += 1;
  }
}

class TestClient {
  readonly #name: string;
  readonly #servers: readonly HttpClient[];
  readonly #history: History;
  /** What this client read last; undefined: nothing was there. */
  readonly #known = new Map<string, Seen | undefined>();
  #count = 0;

  constructor(name: string, servers: readonly HttpClient[], history: History) {
    this.#name = name;
    this.#servers = servers;
    this.#history = history;
  }

  async act(): Promise<void> {
    const key = KEYS[Math.floor(Math.random() * KEYS.length)] ?? '';
    const server = this.#servers[Math.floor(Math.random() * this.#servers.length)];
    if (!server) throw new Error('no server');
    const known = this.#known.get(key);
    const dice = Math.random();
    if (dice < 0.1) await this.#list(server);
    else if (dice < 0.4 || !this.#known.has(key)) await this.#read(server, key);
    else if (known && dice < 0.5) await this.#delete(server, key, known);
    else await this.#write(server, key, known);
  }

  async #read(server: HttpClient, key: string): Promise<void> {
    const invoked = performance.now();
    try {
      this.#note(key, invoked, this.#history.saw(await server.get(CONFIG_MAPS, key, NAMESPACE)));
    } catch (error) {
      if (codeOf(error) === 404) this.#note(key, invoked, undefined);
      else this.#unanswered(key, error);
    }
  }

  async #list(server: HttpClient): Promise<void> {
    const invoked = performance.now();
    try {
      const { items } = await server.list(CONFIG_MAPS, { namespace: NAMESPACE });
      for (const key of KEYS) {
        const found = items.find(({ metadata }) => metadata.name === key);
        this.#note(key, invoked, found && this.#history.saw(found));
      }
    } catch (error) {
      this.#unanswered('', error);
    }
  }

  async #write(server: HttpClient, key: string, known: Seen | undefined): Promise<void> {
    const value = `${this.#name}-${String((this.#count += 1))}`;
    const invoked = performance.now();
    const metadata = { name: key, namespace: NAMESPACE, ...(known && { resourceVersion: known.version }) };
    const object: ConfigMap = { metadata, data: { value } };
    const done = (outcome: string) => {
      const common = { client: this.#name, key, invoked, responded: performance.now(), next: value, outcome };
      this.#history.add(
        (known ? { ...common, type: 'update', expected: known.value } : { ...common, type: 'create' }) as Op,
      );
    };
    try {
      const answer = await (known ? server.update(CONFIG_MAPS, object) : server.create(CONFIG_MAPS, object));
      const seen = this.#history.saw(answer);
      this.#known.set(key, seen);
      this.#history.wrote(seen, invoked);
      done('ok');
    } catch (error) {
      this.#refused(key, error, known ? { 409: 'conflict', 404: 'absent' } : { 409: 'exists' }, done);
    }
  }

  async #delete(server: HttpClient, key: string, known: Seen): Promise<void> {
    const invoked = performance.now();
    const done = (outcome: string) => {
      const common = { client: this.#name, key, invoked, responded: performance.now() };
      this.#history.add({ ...common, type: 'delete', expected: known.value, outcome } as Op);
    };
    try {
      await server.delete(CONFIG_MAPS, key, NAMESPACE, { preconditions: { resourceVersion: known.version } });
      this.#known.set(key, undefined);
      done('ok');
    } catch (error) {
      this.#refused(key, error, { 409: 'conflict', 404: 'absent' }, done);
    }
  }

  #note(key: string, invoked: number, seen: Seen | undefined): void {
    this.#known.set(key, seen);
    this.#history.add({
      client: this.#name,
      key,
      invoked,
      responded: performance.now(),
      type: 'read',
      seen: seen?.value,
    });
  }

  #refused(key: string, error: unknown, outcomes: Record<number, string>, done: (outcome: string) => void): void {
    const outcome = outcomes[codeOf(error)];
    this.#known.delete(key);
    if (outcome !== undefined) done(outcome);
    else if (this.#unanswered(key, error)) done('unknown');
  }

  /** True when it may have been done: not where nobody listened, and not where the server says that nothing was done. */
  #unanswered(key: string, error: unknown): boolean {
    this.#known.delete(key);
    const code = codeOf(error);
    assert.ok(code === 0 || code >= 500, `an answer that no kill explains: ${String(error)}`);
    if (code === 503) return false;
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ECONNREFUSED') return false;
    }
    return true;
  }
}

/** 0: there was no answer. */
function codeOf(error: unknown): number {
  return error instanceof ApiError ? error.code : 0;
}

/** Until the server answers, and has made the namespace that the clients work in. */
export async function untilReady(client: HttpClient): Promise<void> {
  await eventually(() => client.get(NAMESPACES, NAMESPACE), 30_000, 10);
}

export interface ConsistencyReport {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly operations: number;
}

export interface FaultWorld {
  /** One of each server, in their order. */
  readonly clients: readonly HttpClient[];
  /** Resolves when as many further writes have been acknowledged: what was broken works again. */
  more(writes: number): Promise<void>;
}

/** Clients work while `faults` runs, and until everything answers again. Throws AssertionError when what they saw has no explanation. */
export async function assertLinearizable(
  servers: readonly ServerProcess[],
  faults: (world: FaultWorld) => Promise<void>,
): Promise<ConsistencyReport> {
  const connections = servers.map((server) => server.client());
  const history = new History();
  let going = true;
  try {
    await Promise.all(connections.map(untilReady));
    const working = Array.from({ length: CLIENTS }, async (_, at) => {
      const client = new TestClient(`c${String(at)}`, connections, history);
      while (going) {
        await client.act();
        await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 5));
      }
    });
    const failed = Promise.all(working);
    await Promise.race([faults({ clients: connections, more: (count) => history.more(count) }), failed]);
    await Promise.all(connections.map(untilReady));
    going = false;
    await failed;
    // What is there at the very end belongs to the history as well.
    const last = new TestClient('last', connections, history);
    for (let at = 0; at < 20; at += 1) await last.act();
  } finally {
    going = false;
    for (const connection of connections) connection.close();
  }
  judge(history);
  return { acknowledged: history.acknowledged, unknown: history.unknown, operations: history.ops.length };
}

function judge({ ops, writes }: History): void {
  const verdict = checkHistory(ops);
  if (!verdict.linearizable) {
    const { key, explained, stuck } = verdict;
    const since = Math.min(...stuck.map(({ invoked }) => invoked)) - 500;
    const until = Math.max(...stuck.map(({ responded }) => responded));
    const around = ops.filter((op) => op.key === key && op.responded > since && op.invoked < until);
    assert.fail(
      `${key}: after ${String(explained)} operations none of these can come next:\n${stuck.map(describe).join('\n')}\nof\n${around.map(describe).join('\n')}`,
    );
  }
  assert.equal(backwards(writes), undefined, 'resourceVersions go backwards');
}
