/**
 * The clients of bench/apiserver.ts, a process of their own: takes one JSON job as its argument, prints one JSON line of measurements.
 * Every job ends by itself, after its count of requests.
 */
import { RawConnection, type Address } from './raw-https.ts';

export type Job =
  /** Services `NAME-0…`, shared out among that many connections. Milliseconds of each, and of the whole. */
  | { readonly do: 'create'; readonly clients: number; readonly count: number; readonly name: string }
  | { readonly do: 'list'; readonly count: number; readonly accept: string }
  /** That many watches on connections of their own; then one Service is changed again and again, each time until the last of them knows. */
  | { readonly do: 'watch'; readonly watchers: number; readonly writes: number };

export interface Measured {
  readonly times: number[];
  readonly total: number;
  /** Of the last answer. */
  readonly bytes: number;
}

const SERVICES = '/api/v1/namespaces/default/services';

function service(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels: { app: name, tier: 'backend' } },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
}

async function create(address: Address, job: Extract<Job, { do: 'create' }>): Promise<Measured> {
  const connections = await open(address, job.clients);
  const times: number[] = [];
  let next = 0;
  let bytes = 0;
  const begin = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (next < job.count) {
        const body = service(`${job.name}-${String(next++)}`);
        const start = performance.now();
        const answer = await connection.request('POST', SERVICES, body);
        times.push(performance.now() - start);
        expect(answer, 201);
        bytes = answer.body.length;
      }
    }),
  );
  const total = performance.now() - begin;
  for (const connection of connections) connection.close();
  return { times, total, bytes };
}

async function list(address: Address, job: Extract<Job, { do: 'list' }>): Promise<Measured> {
  const [connection] = await open(address, 1);
  const times: number[] = [];
  let bytes = 0;
  const begin = performance.now();
  for (let count = 0; count < job.count; count++) {
    const start = performance.now();
    const answer = await connection?.request('GET', '/api/v1/services', '', `accept: ${job.accept}\r\n`);
    times.push(performance.now() - start);
    if (answer) expect(answer, 200);
    bytes = answer?.body.length ?? 0;
  }
  connection?.close();
  return { times, total: performance.now() - begin, bytes };
}

async function watch(address: Address, job: Extract<Job, { do: 'watch' }>): Promise<Measured> {
  const [writer] = await open(address, 1);
  if (!writer) throw new Error('no connection');
  const name = `watched-by-${String(job.watchers)}`;
  expect(await writer.request('POST', SERVICES, service(name)), 201);
  const path = `${SERVICES}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3D${name}`;
  let waiting = 0;
  let awaited = Buffer.from(`"name":"${name}"`);
  let done: () => void = () => undefined;
  const told = (chunk: Buffer) => {
    if (chunk.includes(awaited) && --waiting === 0) done();
  };
  const everyone = () =>
    new Promise<void>((resolve) => {
      waiting = job.watchers;
      done = resolve;
    });
  const ready = everyone();
  const connections = await open(address, job.watchers, (connection) => {
    connection.stream(path, told);
  });
  await ready;
  const times: number[] = [];
  const begin = performance.now();
  for (let count = 0; count < job.writes; count++) {
    awaited = Buffer.from(`"round-${String(count)}"`);
    const heard = everyone();
    const start = performance.now();
    const patch = JSON.stringify({ metadata: { annotations: { round: `round-${String(count)}` } } });
    const answer = writer.request(
      'PATCH',
      `${SERVICES}/${name}`,
      patch,
      'content-type: application/merge-patch+json\r\n',
    );
    await heard;
    times.push(performance.now() - start);
    expect(await answer, 200);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const total = performance.now() - begin;
  for (const connection of [writer, ...connections]) connection.close();
  return { times, total, bytes: 0 };
}

/** Sixteen handshakes at a time. */
async function open(address: Address, count: number, opened?: (each: RawConnection) => void): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  let begun = 0;
  const some = async () => {
    while (begun++ < count) {
      const connection = await RawConnection.open(address);
      connections.push(connection);
      opened?.(connection);
    }
  };
  await Promise.all(Array.from({ length: Math.min(16, count) }, some));
  return connections;
}

function expect({ status, body }: { status: number; body: Buffer }, wanted: number): void {
  if (status !== wanted) throw new Error(`${String(status)}: ${body.toString().slice(0, 500)}`);
}

if (import.meta.main) {
  const { address, job } = JSON.parse(process.argv[2] ?? '{}') as { address: Address; job: Job };
  const measured = await (job.do === 'create'
    ? create(address, job)
    : job.do === 'list'
      ? list(address, job)
      : watch(address, job));
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}
