/** The kubelet's API, one handler for each kind of request. */
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { CriError, type Cri } from '../../host/cri/cri.ts';
import type { Clock } from '../../lib/clock.ts';
import { isTrue, parseLogOptions, type LogOptions } from '../logs/options.ts';
import { readLog } from '../logs/reader.ts';
import type { ContainerRecord, PodLookup } from '../parts.ts';
import type { ProbeCount } from '../probes/index.ts';
import { findLog, findPod, findRunning, hasTerminal, Refusal } from './find.ts';
import { sendLogFile } from './log-files.ts';
import { renderMetrics } from './metrics.ts';
import { relayUpgrade } from './relay.ts';
import { parseRoute, type PodPath, type Route } from './route.ts';

export interface HandlerOptions {
  readonly cri: Pick<Cri, 'exec' | 'attach' | 'portForward' | 'execSync'>;
  readonly pods: PodLookup;
  readonly clock: Clock;
  readonly probeCounts?: () => Iterable<ProbeCount>;
  /** What else there is to read on this port, by the first part of the path; asks for the right to `nodes/proxy` as what runs commands does. */
  readonly pages?: ReadonlyMap<string, Page>;
  /** Folder of the pods' log files; without it there is no `/logs/`. */
  readonly logsDirectory?: string;
}

/** Answers a GET. What it throws is refused as everywhere here. */
export type Page = (url: URL, response: ServerResponse) => Promise<void>;

/** Answers one plain request. Throws Refusal, or the runtime's error. */
export async function answer(
  options: HandlerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://kubelet');
  const page = options.pages?.get(url.pathname.split('/')[1] ?? '');
  if (page) {
    if (request.method !== 'GET') throw new Refusal(405, 'only GET is allowed here');
    await page(url, response);
    return;
  }
  const { route, query } = routeOf(request);
  const { pods } = options;
  switch (route.type) {
    case 'healthz':
      sendText(response, 'ok');
      return;
    case 'pods':
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods.list() }));
      return;
    case 'metrics':
      sendText(response, renderMetrics(pods.list(), options.probeCounts?.() ?? [], process.memoryUsage.rss()));
      return;
    case 'logs': {
      const asked = logOptions(query, options.clock.now());
      await sendLog(options, route, findLog(pods, route.pod, route.container, asked.previous), asked, response);
      return;
    }
    case 'logFiles':
      if (options.logsDirectory === undefined) throw new Refusal(404, '404 page not found');
      await sendLogFile(options.logsDirectory, route.path, response);
      return;
    case 'run':
      await sendOutput(options, route, query, response);
      return;
    case 'exec':
    case 'attach':
    case 'portForward':
      throw new Refusal(400, 'you must specify an Upgrade header: this is a streaming request');
  }
}

/** Takes over an upgraded connection. Throws Refusal, or the runtime's error, while nothing was answered yet. */
export async function upgrade(
  options: HandlerOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const { route, query } = routeOf(request);
  const url = await streamUrl(options, route, query);
  await relayUpgrade(request, socket, head, url);
}

function routeOf(request: IncomingMessage): { route: Route; query: URLSearchParams } {
  const url = new URL(request.url ?? '/', 'https://kubelet');
  let route: Route | undefined;
  try {
    route = parseRoute(url.pathname);
  } catch {
    throw new Refusal(400, 'the path is not well encoded');
  }
  if (!route) throw new Refusal(404, '404 page not found');
  return { route, query: url.searchParams };
}

/** The one URL at which the runtime serves what was asked. */
async function streamUrl({ cri, pods }: HandlerOptions, route: Route, query: URLSearchParams): Promise<string> {
  if (route.type === 'portForward') {
    const pod = findPod(pods, route.pod);
    const sandbox = pods.sandboxId(pod.metadata.uid ?? '');
    if (sandbox === undefined) throw new Refusal(400, `pod "${route.pod.name}" is not running`);
    return cri.portForward(sandbox, portsOf(query));
  }
  if (route.type !== 'exec' && route.type !== 'attach') throw new Refusal(400, 'this path cannot be upgraded');
  const asked = (...names: string[]) => names.some((name) => isTrue(query.get(name)));
  // Whether a running process has a terminal was settled when it was made; another answer would leave a stream that never ends.
  const tty = route.type === 'attach' ? hasTerminal(pods, route.pod, route.container) : asked('tty');
  const streams = {
    tty,
    stdin: asked('input', 'stdin'),
    stdout: asked('output', 'stdout'),
    stderr: !tty && asked('error', 'stderr'), // a terminal has one output
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw new Refusal(400, 'you must specify at least 1 of stdin, stdout, stderr');
  }
  const containerId = findRunning(pods, route.pod, route.container);
  if (route.type === 'attach') return cri.attach({ containerId, ...streams });
  const command = query.getAll('command');
  if (command.length === 0) throw new Refusal(400, 'you must specify at least one command for the container');
  return cri.exec({ containerId, command, ...streams });
}

/** Throws Refusal 400. */
function portsOf(query: URLSearchParams): number[] {
  return query.getAll('port').map((text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port < 1 || port > 65535) throw new Refusal(400, `invalid port ${JSON.stringify(text)}`);
    return port;
  });
}

function logOptions(query: URLSearchParams, now: number): LogOptions {
  try {
    return parseLogOptions(query, now);
  } catch (error) {
    throw new Refusal(400, error instanceof Error ? error.message : String(error));
  }
}

async function sendLog(
  { pods }: HandlerOptions,
  { pod, container }: { pod: PodPath; container: string },
  record: ContainerRecord,
  asked: LogOptions,
  response: ServerResponse,
): Promise<void> {
  const uid = findPod(pods, pod).metadata.uid ?? '';
  const isRunning = () => {
    const newest = pods.container(uid, container);
    return newest?.id === record.id && newest.state === 'RUNNING';
  };
  const abort = new AbortController();
  response.on('close', () => {
    abort.abort();
  });
  const follow = asked.follow && !asked.previous;
  response.setHeader('Content-Type', 'text/plain');
  try {
    await access(record.logPath);
    // Whoever follows a silent container is told at once that it is being followed.
    response.flushHeaders();
    for await (const piece of readLog(record.logPath, { ...asked, follow }, isRunning, abort.signal)) {
      if (!response.write(piece)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
      if (response.destroyed) return;
    }
  } catch (error) {
    if (response.headersSent && !response.destroyed) throw error;
    if (response.headersSent) return;
    const { code } = error as NodeJS.ErrnoException;
    // A container that never wrote may have no file yet; a removed one has none any more.
    if (code === 'ENOENT') throw new Refusal(404, `the log of container "${container}" in pod "${pod.name}" is gone`);
    throw error;
  }
  response.end();
}

/** `/run`: a command to its end, its output as the answer. */
async function sendOutput(
  { cri, pods }: HandlerOptions,
  { pod, container }: { pod: PodPath; container: string },
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const command = (query.get('cmd') ?? '').split(' ').filter((word) => word !== '');
  if (command.length === 0) throw new Refusal(400, 'missing the query parameter cmd');
  const { stdout, stderr, exitCode } = await cri.execSync(findRunning(pods, pod, container), command, 60);
  response.statusCode = exitCode === 0 ? 200 : 500;
  sendText(response, Buffer.concat([stdout, stderr]));
}

function sendText(response: ServerResponse, body: string | Buffer): void {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(body);
}

/** Status and words for an error that a handler threw. */
export function refusalOf(error: unknown): { code: number; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  if (error instanceof CriError) return { code: error.code === 'NotFound' ? 404 : 500, message: error.details };
  return { code: 500, message: error instanceof Error ? error.message : String(error) };
}
