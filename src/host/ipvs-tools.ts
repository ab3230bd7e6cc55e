/**
 * IPVS, ipsets and the device that holds the addresses of Services, through ipvsadm, ipset and ip: one process for many changes. In the
 * network namespace of `exec`, and of one address family.
 */
import { exec as realExec, HostError, type Exec } from './exec.ts';

export interface IpvsTools {
  /** Text of `ipvsadm --save --numeric`, both families. Throws HostError, also where the kernel has no IPVS. */
  saveServers(): Promise<string>;
  /**
   * Lines as after `ipvsadm` (`-A …`, `-e …`, `-d …`), in order. Carries out every line that the kernel takes and returns what it said
   * of the others; '' where it took them all. Throws HostError only where ipvsadm could not run.
   */
  changeServers(lines: readonly string[]): Promise<string>;
  /** `key ip:port` -> active and inactive connections of a real server; key as ipvsadm names a virtual server. Of one, or of all. */
  connections(key?: string): Promise<ReadonlyMap<string, number>>;
  /** Seconds; 0 keeps what is (`ipvsadm --set`). */
  setTimeouts(tcp: number, tcpFin: number, udp: number): Promise<void>;
  /** Text of `ipset save`. */
  saveSets(): Promise<string>;
  /** Lines of `ipset restore`; elements that are there already, or gone already, are no mistake. Throws HostError at the first line it refuses. */
  changeSets(lines: readonly string[]): Promise<void>;
  /** Addresses on the device; undefined: there is no device. */
  boundAddresses(): Promise<ReadonlySet<string> | undefined>;
  hasDevice(): Promise<boolean>;
  /** Whether the virtual server of this key is there. Cheap. */
  hasServer(key: string): Promise<boolean>;
  /** Makes the device: a dummy that answers no ARP (3-111). */
  addDevice(): Promise<void>;
  /** No address of either family is on it. */
  isDeviceEmpty(): Promise<boolean>;
  deleteDevice(): Promise<void>;
  /** Throws HostError when one is refused; others may have been carried out. */
  changeAddresses(add: readonly string[], remove: readonly string[]): Promise<void>;
  /** Lets go of sockets, where there are any. */
  close(): void;
}

export interface IpvsToolsOptions {
  readonly family?: 'IPv4' | 'IPv6';
  readonly exec?: Exec;
  readonly device?: string;
}

export function createIpvsTools(options: IpvsToolsOptions = {}): IpvsTools {
  const { exec = realExec, family = 'IPv4', device = 'kube-ipvs0' } = options;
  const isIPv6 = family === 'IPv6';
  const long = { timeout: 120_000 };
  const hasDevice = () => succeeds(exec('ip', ['link', 'show', 'dev', device]));
  return {
    saveServers: async () => (await exec('ipvsadm', ['--save', '--numeric'], long)).stdout,
    changeServers: async (lines) => {
      if (lines.length === 0) return '';
      try {
        return (await exec('ipvsadm', ['--restore'], { ...long, input: textOf(lines) })).stderr.trim();
      } catch (error) {
        // its exit code is that of the last line alone
        if (error instanceof HostError && error.exitCode !== undefined) return error.stderr.trim() || error.message;
        throw error;
      }
    },
    connections: async (key) => {
      const one = key === undefined ? [] : key.split(' ');
      return parseConnections((await exec('ipvsadm', ['--list', '--numeric', ...one], long)).stdout);
    },
    setTimeouts: async (...seconds) => {
      await exec('ipvsadm', ['--set', ...seconds.map(String)]);
    },
    saveSets: async () => (await exec('ipset', ['save'], long)).stdout,
    changeSets: async (lines) => {
      if (lines.length > 0) await exec('ipset', ['-exist', 'restore'], { ...long, input: textOf(lines) });
    },
    boundAddresses: async () => {
      const args = ['-json', isIPv6 ? '-6' : '-4', 'address', 'show', 'dev', device];
      const shown = await exec('ip', args, long).catch((error: unknown) => {
        if (error instanceof HostError && /does not exist/i.test(error.stderr)) return undefined;
        throw error;
      });
      if (!shown) return undefined;
      const links = JSON.parse(shown.stdout.trim() || '[]') as { addr_info?: { local?: string }[] }[];
      return new Set(links.flatMap((link) => (link.addr_info ?? []).flatMap(({ local }) => local ?? [])));
    },
    hasDevice,
    hasServer: (key) => succeeds(exec('ipvsadm', ['--list', '--numeric', ...key.split(' ')])),
    addDevice: async () => {
      // down: the kernel answers for its addresses all the same, and nothing is ever sent through it
      if (await hasDevice()) return;
      try {
        await exec('ip', ['link', 'add', device, 'type', 'dummy']);
      } catch (error) {
        // the other family made it meanwhile
        if (!(await hasDevice())) throw error;
      }
    },
    isDeviceEmpty: async () => !/^\s+inet6? /m.test((await exec('ip', ['address', 'show', 'dev', device])).stdout),
    deleteDevice: async () => {
      await exec('ip', ['link', 'delete', device]);
    },
    changeAddresses: async (add, remove) => {
      const length = isIPv6 ? '/128' : '/32';
      const flags = isIPv6 ? ' nodad' : '';
      const lines = [
        ...add.map((ip) => `address replace ${ip}${length} dev ${device}${flags}`),
        ...remove.map((ip) => `address delete ${ip}${length} dev ${device}`),
      ];
      if (lines.length > 0) await exec('ip', ['-force', '-batch', '-'], { ...long, input: textOf(lines) });
    },
    close: () => undefined,
  };
}

/** False where the program ended with an error of its own. */
function succeeds(run: Promise<unknown>): Promise<boolean> {
  return run.then(
    () => true,
    (error: unknown) => {
      if (error instanceof HostError && error.exitCode !== undefined) return false;
      throw error;
    },
  );
}

const textOf = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

const OPTIONS: Readonly<Record<string, string>> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service', FWM: '-f' };

/** What `ipvsadm --list --numeric` prints -> connections by `key ip:port`. */
export function parseConnections(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  let key = '';
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    const [first = '', second = '', third = ''] = words;
    const option = OPTIONS[first];
    if (option !== undefined) key = `${option} ${second}${first === 'FWM' && third === 'IPv6' ? ' -6' : ''}`;
    else if (first === '->' && /\d$/.test(second)) {
      const [active = '0', inactive = '0'] = words.slice(-2);
      found.set(`${key} ${second}`, Number(active) + Number(inactive));
    }
  }
  return found;
}
