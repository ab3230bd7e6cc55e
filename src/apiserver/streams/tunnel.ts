/**
 * A connection to a Pod by way of its node's kubelet. The API server's machine is often on no network with Pods: here it would ask whoever else has
 * their addresses. The kubelet is asked by HTTP CONNECT, and connects to Pods of its own node alone.
 */
import type { Duplex } from 'node:stream';
import { joinHostPort } from '../../lib/ip.ts';
import type { Backend } from './backend.ts';
import { httpsRequest } from '../../lib/node-http.ts';

const TIMEOUT = 10_000;
/** Of a kubelet's reason. */
const MAX_REASON = 4096;

/**
 * `address` is `10.244.1.5:80`. Undefined: this kubelet does not do it, as those of others do not. Rejects with the reason why the Pod, or the
 * kubelet, cannot be reached.
 */
export function openTunnel(kubelet: Backend, address: string): Promise<Duplex | undefined> {
  return new Promise((resolve, reject) => {
    const { host, port, tls } = kubelet;
    // The kubelet's own name: Node would check its certificate against the Pod's.
    const headers = { host: joinHostPort(host, port) };
    const options = { host, port, ...tls, method: 'CONNECT', path: address, headers, agent: false, timeout: TIMEOUT };
    const request = httpsRequest(options);
    request.on('timeout', () => request.destroy(new Error('i/o timeout')));
    request.on('error', reject);
    request.on('connect', ({ statusCode = 0 }, socket, head) => {
      request.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      if (statusCode === 200) resolve(socket);
      else if ([404, 405, 501].includes(statusCode)) {
        socket.destroy();
        resolve(undefined);
      } else
        readReason(socket).then((text) => {
          reject(new Error(text || `kubelet: ${String(statusCode)}`));
        }, reject);
    });
    request.end();
  });
}

async function readReason(socket: Duplex): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.length > MAX_REASON) break;
  }
  socket.destroy();
  return text.trim();
}
