/**
 * gRPC probes (feature 7-017): grpc.health.v1.Health/Check without TLS. One request on an HTTP/2 connection of its own, closed for certain
 * when the probe ends: a gRPC client library keeps trying in the background, and would leave a connection for each run to a silent server.
 * The two messages have one field each: `service` (1, text) and `status` (1, number).
 */
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { joinHostPort } from '../../lib/ip.ts';
import { dialError, failure, MAX_OUTPUT, succeeded, type Outcome } from './outcome.ts';

const METHOD = '/grpc.health.v1.Health/Check';
const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
/** Codes of gRPC. */
const OK = 0;
const UNIMPLEMENTED = 12;

export interface GrpcTarget {
  readonly host: string;
  readonly port: number;
  readonly service: string;
  readonly userAgent: string;
}

/** Never throws. */
export async function probeGrpc(target: GrpcTarget, timeoutMs: number): Promise<Outcome> {
  const address = joinHostPort(target.host, target.port);
  const session = connect(`http://${address}`);
  const within = `within ${String(timeoutMs / 1000)}s`;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => {
        const what = session.connecting
          ? `timeout: failed to connect service "${address}" ${within}`
          : `timeout: health rpc did not complete ${within}`;
        resolve(failure(what));
      }, timeoutMs);
    });
    return await Promise.race([late, check(session, target, address)]);
  } catch (error) {
    return failure(`failed to connect service "${address}": ${dialError(address, error)}`);
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}

/** The answer, whatever it is; throws where the connection fails. */
function check(session: ClientHttp2Session, target: GrpcTarget, authority: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    session.on('close', () => {
      reject(new Error('the connection was closed'));
    });
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: METHOD,
      [constants.HTTP2_HEADER_AUTHORITY]: authority,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': target.userAgent,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    // A call that fails at once has its status in the headers, any other in the trailers.
    let answered: IncomingHttpHeaders = {};
    stream.on('response', (headers) => {
      answered = headers;
    });
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      answered = { ...answered, ...trailers };
    });
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_OUTPUT) stream.close();
      else chunks.push(chunk);
    });
    stream.on('error', (error) => {
      reject(error.cause instanceof Error ? error.cause : error);
    });
    stream.on('close', () => {
      resolve(judge(answered, Buffer.concat(chunks)));
    });
    stream.end(frame(encodeCheck(target.service)));
  });
}

function judge(headers: IncomingHttpHeaders, body: Buffer): Outcome {
  const status = headers['grpc-status'];
  if (status === undefined) {
    const code = String(headers[':status']);
    return failure(
      `error: health rpc probe failed: the server answered with HTTP status ${code} and is no gRPC server`,
    );
  }
  const code = Number(status);
  const text = decodeURIComponentSafe(String(headers['grpc-message'] ?? ''));
  if (code === UNIMPLEMENTED) {
    return failure(`error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${text}`);
  }
  if (code !== OK) return failure(`error: health rpc probe failed: code ${String(code)}: ${text}`);
  const serving = decodeStatus(body.subarray(5));
  if (serving === 1) return succeeded('service healthy');
  return failure(`service unhealthy (responded with "${statuses[serving] ?? String(serving)}")`);
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A message on the wire: not compressed, its length, itself. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export function encodeCheck(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const length: number[] = [];
  for (let rest = name.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** Field 1 as a number; 0 (UNKNOWN) where it is absent, as protobuf leaves out zeros. */
export function decodeStatus(message: Buffer): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
