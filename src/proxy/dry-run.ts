/** What a proxy would write, as text; nothing is written. */
import { ENDPOINT_SLICES, NODES, SERVICE_CIDRS, SERVICES } from '../api/kinds.ts';
import type { Client } from '../client/client.ts';
import type { Family } from '../lib/ip.ts';
import { familiesOf, planOptionsOf, type ProxyOptions } from './options.ts';
import { MODES } from './modes.ts';
import { plan } from './plan/plan.ts';
import type { Plan } from './plan/types.ts';
import { SERVICE_SELECTOR, SLICE_SELECTOR } from './watched.ts';

export interface DryRun {
  readonly family: Family;
  readonly plan: Plan;
  /** In the words of the mode's own tool. */
  readonly text: string;
}

/** One for each address family, the primary first. Throws what the client throws, and RangeError on options that make no sense. */
export async function dryRun(options: Omit<ProxyOptions, 'log'>): Promise<readonly DryRun[]> {
  const { client, nodeName, nodeIps, mode } = options;
  const spell = MODES[mode];
  if (!spell) throw new RangeError(`mode: there is no proxy mode "${mode}"`);
  const [services, slices, nodes, serviceCIDRs] = await Promise.all([
    client.list(SERVICES, { labelSelector: SERVICE_SELECTOR }),
    client.list(ENDPOINT_SLICES, { labelSelector: SLICE_SELECTOR }),
    client.list(NODES, { fieldSelector: `metadata.name=${nodeName}` }),
    serviceRanges(client),
  ]);
  const [node] = nodes.items;
  const planNode = { name: nodeName, ips: nodeIps, labels: node?.metadata.labels ?? {} };
  return familiesOf(options).map((family) => {
    // a proxy asks the kernel to be liberal, and drops INVALID packets only where it must not or may not
    const dropInvalid = options.conntrack?.tcpBeLiberal === false;
    const planOptions = planOptionsOf(options, { family, dropInvalid, node, serviceCIDRs });
    const planned = plan(services.items, slices.items, planNode, planOptions);
    return { family, plan: planned, text: spell.render(planned) };
  });
}

/** Not every API server has these objects, and not every proxy may read them. */
async function serviceRanges(client: Client): Promise<readonly string[]> {
  const list = await client.list(SERVICE_CIDRS).catch(() => undefined);
  return (list?.items ?? []).flatMap((one) => one.spec.cidrs ?? []);
}
