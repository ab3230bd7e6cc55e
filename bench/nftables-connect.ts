/** What a connection through a cluster IP costs over one to the endpoint itself, with many Services in the kernel. */
import { createServer, connect, type Server } from 'node:net';
import { exec } from '../src/host/exec.ts';
import { NftablesBench, ipOf, serviceOf } from './nftables-cluster.ts';

const CONNECTS = 1000;
const PORT = 18_080;
let bench: NftablesBench | undefined;

/** One more Service than asked for: the one whose endpoint is here. */
export async function loadScale(services: number): Promise<void> {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'here', namespace: 'bench', labels: { 'kubernetes.io/service-name': `s${String(services)}` } },
    ...{
      addressType: 'IPv4',
      ports: [{ name: 'http', port: PORT, protocol: 'TCP' }],
      endpoints: [{ addresses: ['172.30.0.11'], nodeName: 'bench', conditions: { ready: true } }],
    },
  };
  bench = new NftablesBench(services, 2, [serviceOf(services), slice]);
  await bench.clear();
  await exec('ip', ['address', 'add', '172.30.0.11/32', 'dev', 'lo']);
  await exec('ip', ['route', 'add', '10.0.0.0/8', 'dev', 'lo', 'src', '172.30.0.11']);
  await bench.start();
}

/** Medians of a connect in microseconds, in turns. */
export async function measureConnects(rounds: number): Promise<{ direct: number[]; throughService: number[] }> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(PORT, '172.30.0.11', 4096, resolve));
  const services = bench?.services ?? 0;
  const vip = ipOf(services, 96);
  const [direct, throughService]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const here = await medianOf('172.30.0.11', PORT);
    const there = await medianOf(vip, 80);
    // the first warms up
    if (round === 0) continue;
    direct.push(here);
    throughService.push(there);
  }
  await closeAll(server);
  return { direct, throughService };
}

async function medianOf(host: string, port: number): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < CONNECTS; at++) {
    const start = performance.now();
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port });
      socket.on('connect', () => {
        times.push((performance.now() - start) * 1000);
      });
      socket.on('error', reject);
      socket.on('close', () => {
        resolve();
      });
      socket.resume();
    });
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

async function closeAll(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
  await bench?.stop();
  await bench?.clear();
  bench?.close();
}
