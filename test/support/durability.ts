/**
 * Writers and a killer. Writers create, update and delete ConfigMaps and note what was acknowledged; the killer ends the server with
 * SIGKILL at random moments; at the end the server's state must be explainable: for each object the last acknowledged write, or a later
 * one that was sent and never answered.
 */
import assert from 'node:assert/strict';
import { isNotFound, ApiError } from '../../src/api/api-error.ts';
import { CONFIG_MAPS } from '../../src/api/kinds.ts';
import type { ConfigMap } from '../../src/api/types.ts';
import type { Client } from '../../src/client/client.ts';
import { untilReady } from './consistency.ts';
import { ServerProcess } from './server.ts';

const WRITERS = 4;
/** Objects each writer works on in turn: few, so that every object is written often. */
const OBJECTS = 5;
/** Writes of all together. */
const MANY = 25;

/** Values an object may have now: what was acknowledged last, and everything sent since. undefined: no such object. */
type Possible = (string | undefined)[];

class Writer {
  readonly possible = new Map<string, Possible>();
  acknowledged = 0;
  readonly #id: number;
  #count = 0;
  constructor(id: number) {
    this.#id = id;
  }

  /** One write. Whatever it threw, what it may have done is noted. */
  async write(client: Client): Promise<void> {
    const count = this.#count++;
    const name = `w${String(this.#id)}-${String(count % OBJECTS)}`;
    const value = count % 7 === 6 ? undefined : String(count);
    const before = this.possible.get(name) ?? [undefined];
    this.possible.set(name, [...before, value]);
    await this.#send(client, name, value, before);
    this.possible.set(name, [value]);
    this.acknowledged++;
  }

  async #send(client: Client, name: string, value: string | undefined, before: Possible): Promise<void> {
    if (value === undefined) {
      await client.delete(CONFIG_MAPS, name, 'default').catch((error: unknown) => {
        if (!isNotFound(error) || (before.length === 1 && before[0] !== undefined)) throw error; // an acknowledged object must be there
      });
      return;
    }
    const object: ConfigMap = { metadata: { name, namespace: 'default' }, data: { value } };
    try {
      await client.update(CONFIG_MAPS, object);
    } catch (error) {
      if (!isNotFound(error) || (before.length === 1 && before[0] !== undefined)) throw error;
      await client.create(CONFIG_MAPS, object);
    }
  }
}

export async function surviveKills(kills: number, port: number): Promise<{ acknowledged: number }> {
  const server = new ServerProcess(port);
  await server.prepare();
  server.start();
  const client = server.client();
  const ready = () => untilReady(client);
  try {
    await ready();
    const writers = Array.from({ length: WRITERS }, (_, id) => new Writer(id));
    let going = true;
    const refused: unknown[] = [];
    const working = writers.map(async (writer) => {
      while (going) {
        try {
          await writer.write(client);
        } catch (error) {
          // No answer is what the killer causes; an answer that says no is not.
          if (error instanceof ApiError && error.code < 500) refused.push(error);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
    });
    const acknowledged = () => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
    for (let i = 0; i < kills; i++) {
      await ready();
      // on a slow machine a moment is few writes: every second time it is killed amid many
      const enough = acknowledged() + (i % 2) * MANY;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
      while (acknowledged() < enough) await new Promise((resolve) => setTimeout(resolve, 2));
      await server.kill('SIGKILL');
      server.start();
    }
    await ready();
    going = false;
    await Promise.all(working);
    assert.deepEqual(refused, []);
    const { items } = await client.list(CONFIG_MAPS, { namespace: 'default' });
    const found = new Map(items.map((object) => [object.metadata.name, object.data?.['value']]));
    for (const writer of writers) {
      for (const [name, possible] of writer.possible) {
        assert.ok(
          possible.includes(found.get(name)),
          `${name} is ${String(found.get(name))}, which is none of ${possible.map(String).join(', ')}`,
        );
      }
    }
    return { acknowledged: acknowledged() };
  } finally {
    client.close();
    await server.remove();
  }
}
