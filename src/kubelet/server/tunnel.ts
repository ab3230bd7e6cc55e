/** HTTP CONNECT to a Pod of this node: how an API server that is on no network with Pods reaches them. No other address can be asked for. */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { podIps } from '../../api/pods.ts';
import { dialError } from '../../lib/dial-error.ts';
import type { PodLookup } from '../parts.ts';
import { Refusal } from './find.ts';
import { join } from './relay.ts';

const CONNECT_TIMEOUT = 10_000;

/** `authority` is `10.244.1.5:80` or `[fd00::5]:80`. Throws Refusal: 403 for what is no Pod's here, 502 where the Pod does not answer. */
export async function openTunnel(pods: PodLookup, authority: string, client: Duplex, head: Buffer): Promise<void> {
  const { host, port } = parseAuthority(authority);
  const isOwn = pods.list().some((pod) => pod.spec.hostNetwork !== true && podIps(pod).includes(host));
  if (!isOwn) throw new Refusal(403, `${authority} is no address of a Pod of this node`);
  const pod = await dial(host, port, authority);
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) pod.write(head);
  join(client, pod);
}

/** Throws Refusal 400. */
function parseAuthority(authority: string): { host: string; port: number } {
  const [, v6, v4, digits] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(authority) ?? [];
  const port = Number(digits ?? 0);
  if (port < 1 || port > 65535) throw new Refusal(400, `${JSON.stringify(authority)} is no address and port`);
  return { host: v6 ?? v4 ?? '', port };
}

function dial(host: string, port: number, address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, timeout: CONNECT_TIMEOUT });
    socket.once('timeout', () => socket.destroy(new Error('i/o timeout')));
    const failed = (error: Error) => {
      reject(new Refusal(502, dialError(address, error)));
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
