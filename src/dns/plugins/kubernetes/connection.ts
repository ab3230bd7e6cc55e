/** Which API server a `kubernetes` directive reads: the program's own, or one that its options name (feature 4-042). */
import { createHash } from 'node:crypto';
import { readSmallFile } from '../../../lib/small-file.ts';
import type { Client } from '../../../client/client.ts';
import { createHttpClient, type ConnectionConfig } from '../../../client/http-client.ts';
import { loadKubeconfig } from '../../../client/kubeconfig.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Place } from '../../corefile/directive.ts';
import { expectMayRead } from '../../file-fence.ts';
import type { Runtime } from '../../plugin.ts';

/** As the options have it; a `kubeconfig` wins over an `endpoint`, as in CoreDNS. */
export interface ConnectionOptions {
  readonly kubeconfig?: { readonly path: string; readonly context?: string; readonly place: Place };
  readonly endpoint?: { readonly url: string; readonly place: Place };
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string; readonly place: Place };
}

export interface ConnectionSource {
  /** The same for two that lead to the same server as the same user. */
  readonly key: string;
  open(runtime: Runtime): { readonly value: Client; readonly close: () => void };
}

/** Reads the files now, so that a Corefile that names a wrong one is refused. @throws CorefileError */
export function connectionSource(options: ConnectionOptions, runtime: Runtime, place: Place): ConnectionSource {
  const { kubeconfig, endpoint } = options;
  if (kubeconfig) {
    const { path, context } = kubeconfig;
    const instead = 'leave it out, the API server of the cluster is the one that is asked';
    expectMayRead(runtime, { by: 'kubernetes: kubeconfig', file: path, instead, place: kubeconfig.place });
    return remote(
      path,
      at(kubeconfig.place, () => loadKubeconfig(path, context, readSmallFile)),
    );
  }
  if (endpoint) return remote(endpoint.url, endpointConfig(options, endpoint, runtime));
  const { client } = runtime;
  if (client) return { key: 'own', open: () => ({ value: client, close: () => undefined }) };
  throw new CorefileError(place, 'kubernetes: there is no API server to ask: expected endpoint or kubeconfig');
}

function endpointConfig(
  { tls }: ConnectionOptions,
  { url, place }: { url: string; place: Place },
  runtime: Runtime,
): ConnectionConfig {
  if (!/^https?:\/\/[^/]/.test(url)) {
    throw new CorefileError(
      place,
      `kubernetes: expected the URL of an API server such as https://10.0.0.1:6443, found "${url}"`,
    );
  }
  if (!tls) return { server: url };
  const instead = 'leave endpoint and tls out, the API server of the cluster is the one that is asked';
  for (const file of [tls.cert, tls.key, tls.ca]) {
    expectMayRead(runtime, { by: 'kubernetes: tls', file, instead, place: tls.place });
  }
  const read = (path: string) => at(tls.place, () => readSmallFile(path));
  return { server: url, cert: read(tls.cert), key: read(tls.key), ca: read(tls.ca) };
}

/** What is wrong with a file is told with the line that names it. */
function at<T>(place: Place, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CorefileError(place, `kubernetes: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function remote(name: string, config: ConnectionConfig): ConnectionSource {
  const fingerprint = createHash('sha256').update(JSON.stringify(config)).digest('hex');
  return {
    key: `${name} ${fingerprint}`,
    open() {
      const client = createHttpClient(config);
      return {
        value: client,
        close: () => {
          client.close();
        },
      };
    },
  };
}
