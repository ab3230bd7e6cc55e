/**
 * The long-lived netlink socket against the command-line tools given the same, in turns. One JSON line per figure.
 * Run by `make bench`; by hand: scripts/in-outer-namespace node bench/netlink.ts
 */
import { requireOuterNamespace } from '../test/support/outer-namespace.ts';
import { createConntrack } from '../src/host/conntrack.ts';
import { exec } from '../src/host/exec.ts';
import { createNetlinkConntrack } from '../src/host/netlink/conntrack.ts';
import { createNfTables, type SetElement } from '../src/host/netlink/nf-tables.ts';
import { report } from './report.ts';

requireOuterNamespace();

const ELEMENTS = 60_000;
const ROUNDS = 5;
const CLI_ROUNDS = 40;

/** Milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const element = (i: number): SetElement => ({
  key: Uint8Array.of(10, i >> 16, (i >> 8) & 255, i & 255, 6, 0, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0),
  data: Uint8Array.of(10, 1, (i >> 8) & 255, i & 255, 0x1f, 0x90, 0, 0),
});
const ip = (i: number, second: number) => `10.${String(second)}.${String((i >> 8) & 255)}.${String(i & 255)}`;
const spelt = (i: number) => `${ip(i, i >> 16)} . tcp . 80 . 0 : ${ip(i, 1)} . 8080`;
const nft = (input: string) => exec('nft', ['-f', '-'], { input });
const empty = () =>
  nft(`flush ruleset
table ip bench {
  map endpoints { typeof ip daddr . meta l4proto . th dport . numgen random mod 65536 : ip daddr . th dport; size 1048576; }
}
`);

const rss = process.memoryUsage.rss();
let opened = performance.now();
const tables = createNfTables();
opened = performance.now() - opened;
const grown = (process.memoryUsage.rss() - rss) / 2 ** 20;
report({ figure: 'netlink: first socket open, koffi loaded', unit: 'ms', samples: [opened] });
report({ figure: 'netlink: memory of koffi and the first socket', unit: 'MiB', samples: [grown] });

const all = Array.from({ length: ELEMENTS }, (_, i) => element(i));
const text = `add element ip bench endpoints { ${all.map((_, i) => spelt(i)).join(',\n')} }\n`;
const add = (elements: readonly SetElement[]) =>
  tables.commit('ip', 'bench', [{ op: 'add', set: 'endpoints', elements }]);
const change = (from: SetElement, to: SetElement) =>
  tables.commit('ip', 'bench', [
    { op: 'delete', set: 'endpoints', elements: [from] },
    { op: 'add', set: 'endpoints', elements: [to] },
  ]);

const cold: number[] = [];
const coldByTool: number[] = [];
const dumped: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  await empty();
  coldByTool.push(await timed(() => nft(text)));
  await empty();
  cold.push(await timed(() => add(all)));
  dumped.push(await timed(() => tables.dump('ip', 'bench', 'endpoints')));
}
const note = 'floor: nft -f of the same';
report({ figure: `netlink: ${String(ELEMENTS)} elements cold`, unit: 'ms', samples: cold, floor: coldByTool, note });
report({ figure: `netlink: ${String(ELEMENTS)} elements dumped`, unit: 'ms', samples: dumped });

// beside the 60,000 that are there: one element gets another value, there and back
const [first] = all;
if (!first) throw new Error('no elements');
const other = { ...first, data: Uint8Array.of(10, 9, 9, 9, 0, 80, 0, 0) };
const one: number[] = [];
const oneByTool: number[] = [];
for (let round = 0; round < CLI_ROUNDS; round++) {
  const swap = (from: string, to: string) =>
    nft(`delete element ip bench endpoints { ${from} }\nadd element ip bench endpoints { ${to} }\n`);
  const changed = `${ip(0, 0)} . tcp . 80 . 0 : 10.9.9.9 . 80`;
  oneByTool.push(await timed(() => swap(spelt(0), changed)), await timed(() => swap(changed, spelt(0))));
  for (let i = 0; i < 50; i++) {
    one.push(await timed(() => change(first, other)), await timed(() => change(other, first)));
  }
}
report({
  figure: `netlink: one element replaced beside ${String(ELEMENTS)}`,
  unit: 'µs',
  samples: one.map((ms) => ms * 1000),
  floor: oneByTool.map((ms) => ms * 1000),
  mustBeAtMost: 1000,
  statistic: 'p99',
  note,
});
await nft('flush ruleset');
tables.close();

// flows made by real packets: one client that asks many ports of one server through a translation
await nft(`table ip bench { chain out { type nat hook output priority -100; ip daddr 10.96.0.10 meta l4proto udp dnat to 127.0.0.1; }
}
`);
await exec('ip', ['route', 'add', '10.96.0.0/16', 'dev', 'lo']);
const FLOWS = 20_000;
const { createSocket } = await import('node:dgram');
const client = createSocket('udp4');
for (let port = 1; port <= FLOWS; port++) {
  await new Promise<void>((resolve, reject) => {
    client.send('x', port, '10.96.0.10', (error) => {
      // nobody listens, and some of the answers that say so come back as errors
      if (error && (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') reject(error);
      else resolve();
    });
  });
}
client.close();
const conntrack = createNetlinkConntrack();
const byTool = createConntrack();
const listed: number[] = [];
const listedByTool: number[] = [];
let flows = 0;
for (let round = 0; round < ROUNDS; round++) {
  listedByTool.push(await timed(() => byTool.listUdp()));
  listed.push(await timed(async () => (flows = (await conntrack.listUdp()).length)));
}
report({
  figure: `netlink: ${String(flows)} UDP flows listed`,
  unit: 'ms',
  samples: listed,
  floor: listedByTool,
  note: 'floor: conntrack -L',
});
conntrack.close();
