/**
 * One table of scenarios for all backends: what a user writes, and where packets must go. Run by the oracle, by the tracer
 * of each backend, and with real packets on a real kernel.
 */
import type { PlanOptions, Protocol } from '../plan/types.ts';

/** The world of every scenario: one node with three Pods, another with two, and a machine outside. */
export const WORLD = {
  node: { name: 'node01', ip: '172.30.0.11', podGateway: '10.244.1.1' },
  otherNode: { name: 'node02', ip: '172.30.0.12', podGateway: '10.244.2.1' },
  outside: '172.30.0.200',
  clusterCIDR: '10.244.0.0/16',
  serviceCIDR: '10.96.0.0/16',
  /** On node01 `client` is no endpoint of anything. Every Pod, and the node, answers its own name on PORTS, TCP and UDP. */
  pods: {
    client: { ip: '10.244.1.9', node: 'node01' },
    'own-a': { ip: '10.244.1.5', node: 'node01' },
    'own-b': { ip: '10.244.1.6', node: 'node01' },
    'far-a': { ip: '10.244.2.5', node: 'node02' },
    'far-b': { ip: '10.244.2.6', node: 'node02' },
  },
  ports: [9376, 8080],
} as const;

export type PodName = keyof typeof WORLD.pods;

/** Who may answer: a Pod, or a process of the node under test. */
export type Answerer = PodName | 'node';

/** 9376 where no port is named. */
export type Answer = Answerer | `${Answerer}:${number}`;

export interface ScenarioPacket {
  /** `client` is a Pod of the node under test; other Pod names are endpoints talking themselves. */
  readonly from: 'client' | 'own-a' | 'own-b' | 'node' | 'outside';
  readonly to: string;
  readonly port: number;
  /** TCP where absent. */
  readonly protocol?: Protocol;
  /** Who may answer: exactly these, each of them sooner or later. `pass`: no Service's business. */
  readonly expect: readonly Answer[] | 'REJECT' | 'DROP' | 'pass';
  /** What modes say instead that guard cluster IPs (`guardClusterIPs`). */
  readonly guarded?: 'REJECT' | 'DROP';
  /** The answering Pod sees the node instead of the client: always, never (where absent), or only these see it. */
  readonly masqueraded?: boolean | readonly Answer[];
  /** The client was given this one before, within the affinity time. Such packets are for oracle and tracer. */
  readonly remembered?: Answer;
}

export interface Scenario {
  /** kebab-case: the name of its golden files. */
  readonly name: string;
  /** What it shows, in a sentence, with its feature rows. */
  readonly about: string;
  /** Services and EndpointSlices. */
  readonly yaml: string;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  readonly options?: Partial<PlanOptions>;
  readonly packets: readonly ScenarioPacket[];
}

/** YAML of an EndpointSlice for Service `service`: one line per endpoint, `pod` or `pod key=value…` as slices spell them. */
export function sliceYaml(service: string, ports: string, endpoints: readonly string[]): string {
  const lines = endpoints.map((text) => {
    const [name = '', ...rest] = text.split(' ');
    const pod = WORLD.pods[name as PodName];
    const conditions = rest.filter((one) => /^(?:ready|serving|terminating)=/.test(one)).map(spell);
    const hints = rest.filter((one) => /^for(?:Zones|Nodes)=/.test(one)).map(hint);
    const fields = [
      `addresses: [${pod.ip}]`,
      `nodeName: ${pod.node}`,
      ...(conditions.length > 0 ? [`conditions: { ${conditions.join(', ')} }`] : []),
      ...(hints.length > 0 ? [`hints: { ${hints.join(', ')} }`] : []),
    ];
    return `  - { ${fields.join(', ')} }\n`;
  });
  return `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${service}-x, namespace: default, labels: { kubernetes.io/service-name: ${service} } }
addressType: IPv4
ports: [${ports}]
endpoints:${lines.length === 0 ? ' []\n' : `\n${lines.join('')}`}`;
}

const spell = (text: string): string => text.replace('=', ': ');

function hint(text: string): string {
  const [key = '', names = ''] = text.split('=');
  return `${key}: [${names
    .split(',')
    .map((name) => `{ name: ${name} }`)
    .join(', ')}]`;
}

/** YAML of a Service in namespace default: `spec` in flow or block style, indented by two. */
export function serviceYaml(name: string, spec: string, status = ''): string {
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
${spec.replace(/^\n|\s+$/g, '')}
${status === '' ? '' : `status: ${status}\n`}`;
}
