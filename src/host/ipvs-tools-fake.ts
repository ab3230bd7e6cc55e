/** IPVS, ipsets and the device in memory, with the refusals of the real ones that callers meet. */
import { HostError } from './exec.ts';
import type { IpvsTools } from './ipvs-tools.ts';

export class FakeIpvsTools implements IpvsTools {
  readonly sets = new Map<string, { create: string; elements: Set<string> }>();
  /** Key -> options and weights of real servers. */
  readonly servers = new Map<string, { options: string; real: Map<string, number> }>();
  bound: Set<string> | undefined;
  /** `key ip:port` -> connections. */
  readonly open = new Map<string, number>();
  /** Lines of any tool that are refused. */
  refuse: (line: string) => boolean = () => false;
  /** The next call that changes something fails with this. */
  failNext: HostError | undefined;
  /** Every line that was carried out. */
  readonly lines: string[] = [];
  reads = 0;

  saveServers(): Promise<string> {
    this.reads++;
    const lines = [...this.servers].flatMap(([key, { options, real }]) => [
      `-A ${options}\n`,
      ...[...real].map(([address, weight]) => `-a ${key} -r ${address} -m -w ${String(weight)}\n`),
    ]);
    return Promise.resolve(lines.join(''));
  }

  async changeServers(lines: readonly string[]): Promise<string> {
    this.#mayFail();
    const complaints = lines.filter((line) => this.refuse(line) || !this.#server(line));
    return Promise.resolve(complaints.join('\n'));
  }

  connections(key?: string): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(new Map([...this.open].filter(([name]) => key === undefined || name.startsWith(`${key} `))));
  }

  setTimeouts(): Promise<void> {
    return Promise.resolve();
  }

  saveSets(): Promise<string> {
    const lines = [...this.sets].flatMap(([name, { create, elements }]) => [
      `${create}\n`,
      ...[...elements].map((element) => `add ${name} ${element}\n`),
    ]);
    return Promise.resolve(lines.join(''));
  }

  async changeSets(lines: readonly string[]): Promise<void> {
    this.#mayFail();
    // the real one sends nothing of a batch with a line it cannot read
    const bad = lines.findIndex(this.refuse);
    if (bad >= 0)
      throw new HostError(['ipset', 'restore'], 'exit code 1', 1, `Error in line ${String(bad + 1)}: refused`);
    for (const line of lines) this.#set(line);
    return Promise.resolve();
  }

  boundAddresses(): Promise<ReadonlySet<string> | undefined> {
    return Promise.resolve(this.bound && new Set(this.bound));
  }

  hasDevice(): Promise<boolean> {
    return Promise.resolve(this.bound !== undefined);
  }

  hasServer(key: string): Promise<boolean> {
    return Promise.resolve(this.servers.has(key));
  }

  addDevice(): Promise<void> {
    this.bound ??= new Set();
    return Promise.resolve();
  }

  isDeviceEmpty(): Promise<boolean> {
    return Promise.resolve(this.bound?.size === 0);
  }

  deleteDevice(): Promise<void> {
    this.bound = undefined;
    return Promise.resolve();
  }

  async changeAddresses(add: readonly string[], remove: readonly string[]): Promise<void> {
    if (add.length + remove.length > 0) this.#mayFail();
    for (const ip of add) {
      if (this.refuse(ip)) throw new HostError(['ip', '-batch'], 'exit code 1', 1, `refused: ${ip}`);
      this.bound?.add(ip);
      this.lines.push(`bind ${ip}`);
    }
    for (const ip of remove) {
      this.bound?.delete(ip);
      this.lines.push(`unbind ${ip}`);
    }
    return Promise.resolve();
  }

  closed = false;

  close(): void {
    this.closed = true;
  }

  #mayFail(): void {
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure) throw failure;
  }

  #set(line: string): void {
    this.lines.push(line);
    const [verb, name = '', element = ''] = line.split(' ');
    if (verb === 'create') this.sets.set(name, { create: line, elements: new Set() });
    else if (verb === 'destroy') this.sets.delete(name);
    else if (verb === 'add') this.sets.get(name)?.elements.add(element);
    else this.sets.get(name)?.elements.delete(element);
  }

  /** False for what the kernel refuses: something there twice, or not there. */
  #server(line: string): boolean {
    const {
      verb = '',
      options = '',
      key = '',
    } = /^-(?<verb>\S) (?<options>(?<key>-f \d+ -6|\S+ \S+).*)$/.exec(line)?.groups ?? {};
    const address = / -r (\S+)/.exec(options)?.[1] ?? '';
    const weight = Number(/ -w (\d+)/.exec(options)?.[1] ?? 1);
    const server = this.servers.get(key);
    this.lines.push(line);
    if (verb === 'A') {
      if (server) return false;
      this.servers.set(key, { options, real: new Map() });
      return true;
    }
    if (!server) return false;
    if (verb === 'D') return this.servers.delete(key);
    if (verb === 'E') server.options = options;
    else if (verb === 'd') return server.real.delete(address);
    else if (server.real.has(address) === (verb === 'a')) return false;
    else server.real.set(address, weight);
    return true;
  }
}
