/** How a Pod reaches the API server it runs under: what the kubelet gives every container. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { joinHostPort } from '../lib/ip.ts';
import type { ConnectionConfig } from './raw-request.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** undefined outside of a Pod. The token is read for each request: it is renewed. Throws where the Pod has no token. */
export function inClusterConnection(
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder = FOLDER,
): ConnectionConfig | undefined {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) return undefined;
  const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim();
  read('token');
  return { server: `https://${joinHostPort(host, port)}`, ca: read('ca.crt'), token: () => read('token') };
}
