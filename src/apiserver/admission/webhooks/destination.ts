/** Where a webhook is reached: its URL, or an endpoint of its Service. The certificate must be for the name, whatever the address. */
import { isIP } from 'node:net';
import { ENDPOINT_SLICES, SERVICES } from '../../../api/kinds.ts';
import type { Admission, Discovery, EndpointSlice, Service } from '../../../api/types.ts';
import type { Core } from '../../core.ts';
import { keyOf, prefixOf } from '../../keys.ts';

export interface Destination {
  readonly host: string;
  readonly port: number;
  /** What the certificate must be for; undefined: for the address itself. */
  readonly serverName: string | undefined;
  readonly path: string;
  /** PEM; undefined: the authorities the machine trusts. */
  readonly ca: string | undefined;
  /** For messages. */
  readonly url: string;
}

/** Throws an Error that says what is missing. */
export function destinationOf(core: Core, config: Admission.WebhookClientConfig): Destination {
  const ca = config.caBundle ? Buffer.from(config.caBundle, 'base64').toString() : undefined;
  if (config.service) return { ...serviceDestination(core, config.service), ca };
  const url = new URL(config.url ?? '');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: Number(url.port || '443'),
    serverName: isIP(host) === 0 ? host : undefined,
    path: url.pathname,
    ca,
    url: url.href,
  };
}

function serviceDestination(core: Core, { namespace, name, path = '/', port = 443 }: Admission.ServiceReference) {
  const key = keyOf(SERVICES, namespace, name);
  const service = core.cache.of(SERVICES).get(key)?.object as Service | undefined;
  if (!service) throw new Error(`service ${JSON.stringify(name)} not found`);
  const serverName = `${name}.${namespace}.svc`;
  const url = `https://${serverName}:${String(port)}${path}`;
  return { ...addressOf(core, service, port), serverName, path, url };
}

/** An endpoint rather than the cluster IP: this machine need not be a node with rules for it. */
function addressOf(core: Core, service: Service, port: number): { host: string; port: number } {
  const { spec, metadata } = service;
  if (spec.type === 'ExternalName') return { host: spec.externalName ?? '', port };
  const found = spec.ports?.find((each) => each.port === port);
  if (!found) throw new Error(`no service port ${String(port)} found for service ${JSON.stringify(metadata.name)}`);
  const slices = core.cache
    .of(ENDPOINT_SLICES)
    .range(`${prefixOf(ENDPOINT_SLICES)}${metadata.namespace ?? ''}/`)
    .map((entry) => entry.object as EndpointSlice);
  const candidates = readyAddresses(slices, metadata.name, found.name ?? '');
  const chosen = candidates[candidates.length > 1 ? core.random(candidates.length) : 0];
  if (!chosen) throw new Error(`no endpoints available for service ${JSON.stringify(metadata.name)}`);
  return chosen;
}

export function readyAddresses(
  slices: readonly EndpointSlice[],
  service: string,
  portName: string,
): { host: string; port: number }[] {
  return slices.flatMap(({ metadata, endpoints, ports }) => {
    if (metadata.labels?.['kubernetes.io/service-name'] !== service) return [];
    const port = ports?.find(({ name }) => (name ?? '') === portName)?.port;
    if (port === undefined) return [];
    const all = (endpoints as Discovery.Endpoint[] | undefined) ?? [];
    return all
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port })));
  });
}
