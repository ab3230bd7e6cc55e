/** What a proxy would write, as text; nothing is written. */
import { ENDPOINT_SLICES, NODES, SERVICES } from '../api/kinds.ts';
import { familiesOf, planOptionsOf, type ProxyOptions } from './options.ts';
import { MODES } from './modes.ts';
import { plan } from './plan/plan.ts';
import { SERVICE_SELECTOR, SLICE_SELECTOR } from './watched.ts';

/** One text for each address family, the primary first. Throws what the client throws, and RangeError on options that make no sense. */
export async function dryRun(options: Omit<ProxyOptions, 'log'>): Promise<readonly string[]> {
  const { client, nodeName, nodeIps, mode } = options;
  const spell = MODES[mode];
  if (!spell) throw new RangeError(`mode: there is no proxy mode "${mode}"`);
  const [services, slices, nodes] = await Promise.all([
    client.list(SERVICES, { labelSelector: SERVICE_SELECTOR }),
    client.list(ENDPOINT_SLICES, { labelSelector: SLICE_SELECTOR }),
    client.list(NODES, { fieldSelector: `metadata.name=${nodeName}` }),
  ]);
  const [node] = nodes.items;
  const planNode = { name: nodeName, ips: nodeIps, labels: node?.metadata.labels ?? {} };
  return familiesOf(options).map((family) => {
    const planOptions = planOptionsOf(options, { family, dropInvalid: false, node });
    return spell.render(plan(services.items, slices.items, planNode, planOptions));
  });
}
