/**
 * A client that asks again and again over new connections and prints one JSON line per request: {start, ms, status, body} or {start, ms, error}.
 * Usage: node http-client-loop.ts URL [REQUESTS-PER-SECOND]. Ends on SIGTERM, or by itself after five minutes.
 */
import { request } from 'node:http';

const [url = '', perSecond = '50'] = process.argv.slice(2);
const interval = setInterval(ask, 1000 / Number(perSecond));
setTimeout(stop, 300_000).unref();
process.on('SIGTERM', stop);

function stop(): void {
  clearInterval(interval);
}

function ask(): void {
  const start = Date.now();
  const say = (fields: Record<string, unknown>) => {
    process.stdout.write(`${JSON.stringify({ start, ms: Date.now() - start, ...fields })}\n`);
  };
  const sent = request(url, { agent: false, timeout: 5_000 }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      body += chunk;
    });
    response.on('end', () => {
      say({ status: response.statusCode, body: body.trim() });
    });
  });
  sent.on('timeout', () => sent.destroy(new Error('no answer within 5 s')));
  sent.on('error', (error) => {
    say({ error: error.message });
  });
  sent.end();
}
