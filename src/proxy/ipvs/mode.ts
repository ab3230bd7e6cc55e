/** ipvs as a proxy mode: the pure half. */
import type { Mode } from '../mode.ts';
import { compile } from './compile.ts';
import { parse } from './parse.ts';
import { render } from './render.ts';
import { trace } from './trace.ts';

export const ipvsMode: Mode = {
  name: 'ipvs',
  // kube-ipvs0 makes the addresses of Services local, so what no Service has there must be refused
  traits: () => ({ localhostNodePorts: 'relay', guardClusterIPs: true, hidesClients: false, bindsAddresses: true }),
  render: (plan) => render(compile(plan)),
  extension: 'ipvs',
  trace: (plan, packets) => {
    const { family } = plan.options;
    const rules = parse(render(compile(plan)), family);
    return packets.map((packet) => trace(rules, family, plan.node.ips, packet));
  },
};
