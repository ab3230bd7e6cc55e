/** nftables as a proxy mode: the pure half. */
import type { Mode } from '../mode.ts';
import { compile } from './compile.ts';
import { render } from './render.ts';
import { traceThroughText } from './trace-plan.ts';

export const nftablesMode: Mode = {
  name: 'nftables',
  traits: () => ({ localhostNodePorts: 'relay', guardClusterIPs: true, hidesClients: false }),
  render: (plan) => render(compile(plan)),
  extension: 'nft',
  trace: traceThroughText,
};
