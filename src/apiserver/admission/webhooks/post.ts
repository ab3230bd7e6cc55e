/** One AdmissionReview over HTTPS: verified, in time, and no more of an answer than fits. */
import type { IncomingMessage } from 'node:http';
import { MAX_BODY } from '../../body.ts';
import type { Destination } from './destination.ts';
import { HttpsAgent, httpsRequest } from '../../../lib/node-http.ts';

/** Connections are used again: a handshake costs more than most answers. Node keeps those of different names and authorities apart. */
const agent = new HttpsAgent({ keepAlive: true, maxFreeSockets: 4, timeout: 60_000 });

/** The parsed JSON of the answer. Rejects with an Error whose message tells what went wrong, as a client is told. */
export async function postReview(to: Destination, review: object, seconds: number): Promise<unknown> {
  const url = `${to.url}?timeout=${String(seconds)}s`;
  try {
    return JSON.parse(
      await postAgain(to, JSON.stringify(review), AbortSignal.timeout(seconds * 1000), seconds),
    ) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error : new Error(String(error));
    throw new Error(`failed to call webhook: Post ${JSON.stringify(url)}: ${explain(why)}`, { cause: error });
  }
}

function explain(error: Error): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'context deadline exceeded';
  if (error instanceof SyntaxError) return 'the answer is not JSON';
  const { code } = error as NodeJS.ErrnoException;
  const aboutCertificate = code !== undefined && /CERT|SIGNATURE|ERR_TLS/.test(code);
  return aboutCertificate ? `tls: failed to verify certificate: ${error.message}` : error.message;
}

/** A connection that was kept may be closed at the other end in the very moment it is used; then nothing was read there. */
async function postAgain(to: Destination, body: string, signal: AbortSignal, seconds: number): Promise<string> {
  try {
    return await post(to, body, signal, seconds);
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
    return await post(to, body, signal, seconds, false);
  }
}

class StaleConnection extends Error {}

function post(
  { host, port, serverName, path, ca }: Destination,
  body: string,
  signal: AbortSignal,
  seconds: number,
  reuse = true,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest({
      host,
      port,
      path: `${path}?timeout=${String(seconds)}s`,
      method: 'POST',
      agent: reuse ? agent : false,
      signal,
      ...(ca !== undefined && { ca }),
      ...(serverName !== undefined && { servername: serverName }),
      headers: {
        host: serverName ?? host,
        'content-type': 'application/json',
        accept: 'application/json',
        'content-length': String(Buffer.byteLength(body)),
      },
    });
    outgoing.on('response', (incoming) => {
      answered = true;
      readAnswer(incoming).then(resolve, reject);
    });
    let answered = false;
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const stale = outgoing.reusedSocket && !answered && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
      reject(stale ? new StaleConnection(error.message) : error);
    });
    outgoing.end(body);
  });
}

async function readAnswer(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY) throw new Error(`the answer is longer than ${String(MAX_BODY)} bytes`);
    chunks.push(chunk as Buffer);
  }
  if (incoming.statusCode !== 200) throw new Error(`unexpected status ${String(incoming.statusCode)}`);
  return Buffer.concat(chunks).toString();
}
