/** dnsperf, and a prober of one name, for bench/dns.ts. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { exec } from '../src/host/exec.ts';
import { CLASS_IN, queryFor, TYPE } from '../src/dns/wire/message.ts';
import { encodeMessage } from '../src/dns/wire/message-codec.ts';

export interface Target {
  readonly address: string;
  readonly port: number;
}

export interface Load {
  readonly target: Target;
  /** Lines of `NAME TYPE`. */
  readonly names: string;
  readonly seconds: number;
}

/** @param underWay questions without an answer that dnsperf leaves open at most, before it waits */
const clients = (underWay: number) => ['-c', '8', '-q', String(underWay), '-t', '5'];
/** Enough that a server is never short of questions. */
export const MANY = 200;

/** Queries answered a second with as many under way as dnsperf keeps. @throws Error where one was not answered as it should be, or many not at all */
export async function saturate({ target, names, seconds }: Load, isFloor = false): Promise<number> {
  return rateOf({ target, names }, ['-l', String(seconds)], isFloor);
}

/** The same, each name once. */
export async function eachOnce(load: Pick<Load, 'target' | 'names'>): Promise<number> {
  return rateOf(load, ['-n', '1'], false);
}

async function rateOf(
  { target, names }: Pick<Load, 'target' | 'names'>,
  much: string[],
  isFloor: boolean,
): Promise<number> {
  const args = ['-s', target.address, '-p', String(target.port), '-d', names, ...much, ...clients(MANY)];
  const { stdout } = await exec('dnsperf', args, { timeout: 60_000 });
  check(stdout, isFloor);
  return Number(/Queries per second:\s+([\d.]+)/.exec(stdout)?.[1]);
}

/**
 * Milliseconds that each query took at a steady rate. With few under way a moment in which dnsperf itself did not run is not made up for by a
 * burst, whose last query then waits for all the others. A server that is too slow for the rate would go unseen so: the rate is looked at.
 * @throws Error where the rate was not kept, too
 */
export async function latencies(
  { target, names, seconds }: Load,
  rate: number,
  folder: string,
  { isFloor = false, underWay = MANY } = {},
): Promise<number[]> {
  const file = join(folder, 'latencies');
  const options = [
    '-s',
    target.address,
    '-p',
    String(target.port),
    '-d',
    names,
    '-l',
    String(seconds),
    ...clients(underWay),
  ];
  // every answer is a line: to a file, read when it is over, so that reading takes nothing from what is measured
  await exec(
    'sh',
    ['-c', 'out=$1; shift; exec "$@" >"$out"', 'sh', file, 'dnsperf', '-v', '-Q', String(rate), ...options],
    {
      timeout: (seconds + 20) * 1000,
    },
  );
  const text = readFileSync(file, 'latin1');
  rmSync(file);
  check(text, isFloor);
  const took = [...text.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map(([, each]) => Number(each) * 1000);
  if (took.length < 0.98 * rate * seconds) {
    throw new Error(`${String(took.length)} of ${String(rate * seconds)} queries: the rate was not kept`);
  }
  return took;
}

/** Percent of each run. A busy machine may leave a process standing until dnsperf has given up: that is for the reader to judge. */
export const losses: number[] = [];

function check(text: string, isFloor: boolean): void {
  const lost = Number(/Queries lost:\s+\d+ \(([\d.]+)%\)/.exec(text)?.[1]);
  if (!(lost < 5)) throw new Error(`${String(lost)} % of the queries were lost`);
  if (!isFloor) losses.push(lost);
  if (!isFloor && !/Response codes:\s+NOERROR \d+ \(100.00%\)/.test(text)) throw new Error(`not all NOERROR:\n${text}`);
}

/** Asks for one name after the other as fast as answers come. */
export class Prober {
  readonly #socket = createSocket('udp4');
  #id = 0;

  async open({ address, port }: Target): Promise<this> {
    this.#socket.connect(port, address);
    await once(this.#socket, 'connect');
    return this;
  }

  /** Resolves with the first answer that is no denial. Call `begin` when it must be found from. */
  async until(name: string): Promise<void> {
    const query = encodeMessage(queryFor(0, { name, type: TYPE.A, class: CLASS_IN }), 512);
    for (;;) {
      query.writeUInt16BE(++this.#id & 0xffff, 0);
      this.#socket.send(query);
      const [reply] = (await once(this.#socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
      if ((reply.readUInt8(3) & 15) === 0 && reply.readUInt16BE(6) > 0) return;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
