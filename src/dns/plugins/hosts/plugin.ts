/** `hosts [FILE [ZONES...]]`: addresses and names from a hosts file and from the Corefile itself. */
import { loadSmallFile } from '../../../lib/small-file.ts';
import { resolve } from 'node:path';
import { expectOnce } from '../../corefile/option.ts';
import { Value } from '../../../lib/prometheus.ts';
import type { Handler, Plugin, Runtime } from '../../plugin.ts';
import { expectMayRead } from '../../file-fence.ts';
import { rootOf } from '../root.ts';
import { answerFromHosts } from './answer.ts';
import { parseHosts, type HostsTable } from './hosts-table.ts';
import { parseHostsOptions, type HostsOptions } from './options.ts';

export const hostsPlugin: Plugin = {
  name: 'hosts',
  setup(directives, block) {
    const directive = expectOnce(directives);
    const options = parseHostsOptions(directive, block.zones);
    const file = resolve(rootOf(block), options.file);
    const instead = 'write its lines into the block of hosts';
    expectMayRead(block.runtime, { by: 'hosts', file, instead, place: directive.place });
    const hosts = new WatchedHosts(file, options, block.runtime);
    return {
      // What it answers depends on the name alone, and a file that changed is told.
      transparent: true,
      start: () => hosts.start(),
      stop() {
        hosts.stop();
        return Promise.resolve();
      },
      wrap:
        (next): Handler =>
        (query) =>
          answerFromHosts(hosts.table, options, query) ?? next(query),
    };
  },
};

/** The file is read again and again: it may be replaced, or mounted over, which no watch of it would tell. */
class WatchedHosts {
  table: HostsTable;
  readonly #file: string;
  readonly #options: HostsOptions;
  readonly #runtime: Runtime;
  readonly #entries: Value;
  readonly #reloadedAt: Value;
  #text: string | undefined;
  #cancel = (): void => undefined;
  #isStopped = false;

  constructor(file: string, options: HostsOptions, runtime: Runtime) {
    this.#file = file;
    this.#options = options;
    this.#runtime = runtime;
    this.table = parseHosts([options.inline], options.zones);
    const { metrics } = runtime;
    this.#entries = metrics.add(new Value('gauge', 'coredns_hosts_entries', 'Entries of the hosts file and Corefile.'));
    this.#reloadedAt = metrics.add(
      new Value('gauge', 'coredns_hosts_reload_timestamp_seconds', 'When the hosts file was last read.'),
    );
  }

  async start(): Promise<void> {
    await this.#read();
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #wait(): void {
    const { reloadMs } = this.#options;
    if (this.#isStopped || reloadMs === 0) return;
    const again = () => {
      void this.#read().then(() => {
        this.#wait();
      });
    };
    this.#cancel = this.#runtime.clock.after(reloadMs, again, true);
  }

  /** Without the file what stands in the Corefile is served on. */
  async #read(): Promise<void> {
    const text = await loadSmallFile(this.#file).then(String, () => undefined);
    if (this.#isStopped || (text === this.#text && text !== undefined)) return;
    const { inline, zones } = this.#options;
    this.#text = text;
    this.table = parseHosts([text ?? '', inline], zones);
    this.#runtime.changes.announce(undefined);
    this.#entries.set(this.table.size);
    this.#reloadedAt.set(this.#runtime.clock.now() / 1000);
  }
}
