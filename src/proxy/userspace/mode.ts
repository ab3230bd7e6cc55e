/** Userspace as a proxy mode: the pure half. */
import type { Mode } from '../mode.ts';
import { render } from './render.ts';
import { traceThroughText } from './trace.ts';

export const userspaceMode: Mode = {
  name: 'userspace',
  traits: () => ({ localhostNodePorts: 'relay', guardClusterIPs: false, hidesClients: true }),
  render: (plan) => render(plan),
  extension: 'userspace',
  trace: traceThroughText,
};
