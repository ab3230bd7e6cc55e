/** The kernel's table of flows, as far as a proxy must correct it: UDP flows that were translated to an endpoint now gone. */
import { isIP } from 'node:net';
import { exec as realExec, HostError, type Exec } from './exec.ts';

/** One UDP flow. `reply…` is who answers: the endpoint, where the flow was translated. */
export interface UdpFlow {
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
  readonly replyPort: number;
  /** The kernel translated its destination. Absent where the tool does not tell. */
  readonly translated?: boolean;
}

export interface Conntrack {
  /** Throws HostError, also where the tool is missing. */
  listUdp(): Promise<readonly UdpFlow[]>;
  /** Deletes every flow alike to one of these; returns how many went. */
  deleteUdp(flows: readonly UdpFlow[]): Promise<number>;
  /** Lets go of what it holds open, if anything. */
  close?(): void;
}

export function createConntrack(family: 'IPv4' | 'IPv6' = 'IPv4', exec: Exec = realExec): Conntrack {
  const common = ['-f', family === 'IPv6' ? 'ipv6' : 'ipv4', '-p', 'udp'];
  return {
    listUdp: async () => parseFlows((await exec('conntrack', ['-L', ...common])).stdout),
    deleteUdp: async (flows) => {
      let deleted = 0;
      for (const flow of flows) deleted += await deleteAlike(exec, common, flow);
      return deleted;
    },
  };
}

async function deleteAlike(exec: Exec, common: readonly string[], flow: UdpFlow): Promise<number> {
  const args = ['--orig-dst', flow.destination, '--orig-port-dst', String(flow.port)];
  const reply = ['--reply-src', flow.replySource, '--reply-port-src', String(flow.replyPort)];
  try {
    const { stderr } = await exec('conntrack', ['-D', ...common, ...args, ...reply]);
    return Number(/(\d+) flow entries have been deleted/.exec(stderr)?.[1] ?? 0);
  } catch (error) {
    // exit code 1 with this sentence: they ended by themselves meanwhile
    if (error instanceof HostError && error.stderr.includes('0 flow entries have been deleted')) return 0;
    throw error;
  }
}

/** Flows of `conntrack -L`, each kind once. Lines that are none are passed over. */
export function parseFlows(text: string): readonly UdpFlow[] {
  const found = new Map<string, UdpFlow>();
  for (const line of text.split('\n')) {
    // twice "src= dst= sport= dport=": as the client sent it, and as the answer comes
    const tuples = [...line.matchAll(/src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)];
    const [sent, reply] = tuples;
    if (!sent || !reply) continue;
    const [, , destination = '', , port = ''] = sent;
    const [, replySource = '', , replyPort = ''] = reply;
    if (isIP(destination) === 0 || isIP(replySource) === 0) continue;
    const flow = { destination, port: Number(port), replySource, replyPort: Number(replyPort) };
    found.set(Object.values(flow).join(' '), flow);
  }
  return [...found.values()];
}

/** In memory. */
export class FakeConntrack implements Conntrack {
  flows: UdpFlow[];
  constructor(flows: readonly UdpFlow[] = []) {
    this.flows = [...flows];
  }
  listUdp(): Promise<readonly UdpFlow[]> {
    return Promise.resolve([...this.flows]);
  }
  deleteUdp(flows: readonly UdpFlow[]): Promise<number> {
    const gone = new Set(flows.map((flow) => JSON.stringify(flow)));
    const before = this.flows.length;
    this.flows = this.flows.filter((flow) => !gone.has(JSON.stringify(flow)));
    return Promise.resolve(before - this.flows.length);
  }
}
