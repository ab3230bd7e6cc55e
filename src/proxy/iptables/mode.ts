/** iptables as a proxy mode: the pure half. */
import type { Mode } from '../mode.ts';
import { compile } from './compile.ts';
import { render } from './render.ts';
import { traceThroughText } from './trace-service.ts';

export const iptablesMode: Mode = {
  name: 'iptables',
  traits: (family) => ({
    localhostNodePorts: family === 'IPv4' ? 'rules' : 'relay',
    guardClusterIPs: false,
    hidesClients: false,
  }),
  render: (plan) => render(compile(plan)),
  extension: 'iptables',
  trace: traceThroughText,
};
