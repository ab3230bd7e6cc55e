/** Whom a `forward` asks: what its Corefile names, and what the files it names say now. */
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { followFile, textOf, type FollowedFile } from './followed-file.ts';
import type { ForwardOptions } from './options.ts';
import { BEHIND_STUB, isOneself, MOST_UPSTREAMS, readResolvConf, stubRemark } from './resolv-conf.ts';
import { upstreamKey, upstreamText, type Upstream } from './upstream.ts';

export interface SourceOptions {
  readonly forward: Pick<ForwardOptions, 'to' | 'place'>;
  readonly log: Log;
  readonly clock: Clock;
  /** Stands for `/etc/resolv.conf`. */
  readonly resolvConf: string;
  /** Addresses this server listens at, and at which port. */
  readonly own: readonly string[];
  readonly ownPort: number;
  /** Where the servers behind systemd-resolved's stub are named. */
  readonly behindStub?: string;
}

export const USUAL_FILE = '/etc/resolv.conf';

export class UpstreamSource {
  readonly #options: SourceOptions;
  readonly #files: FollowedFile[] = [];
  #said = '';

  /** @throws CorefileError where a server is this one */
  constructor(options: SourceOptions) {
    this.#options = options;
    const { forward, own, ownPort } = options;
    const oneself = forward.to.find((to) => 'address' in to && isOneself(to, own, ownPort));
    if (!oneself || 'file' in oneself) return;
    throw new CorefileError(
      forward.place,
      `forward: ${upstreamText(oneself)} is this server itself, that would be a loop`,
    );
  }

  /**
   * The upstreams now; `changed` is called with others whenever a file changes.
   * @throws CorefileError for a file that is not there, unless it is /etc/resolv.conf
   */
  async open(changed: (upstreams: readonly Upstream[]) => void): Promise<Upstream[]> {
    const { forward, clock, own, ownPort } = this.#options;
    for (const to of forward.to) {
      if ('file' in to || !isOneself(to, own, ownPort)) continue;
      throw new CorefileError(
        forward.place,
        `forward: ${upstreamText(to)} is this server itself, that would be a loop`,
      );
    }
    const upstreams = await this.#read(true);
    const reread = async () => {
      try {
        changed(await this.#read(false));
      } catch (error) {
        this.#options.log.warn({ err: error }, 'upstream DNS servers stay as they were');
      }
    };
    const files = new Set(forward.to.flatMap((to) => ('file' in to ? [this.#path(to.file)] : [])));
    for (const file of files) this.#files.push(followFile(file, clock, () => void reread()));
    return upstreams;
  }

  close(): void {
    for (const file of this.#files.splice(0)) file.stop();
  }

  #path(file: string): string {
    return file === USUAL_FILE ? this.#options.resolvConf : file;
  }

  async #read(isFirst: boolean): Promise<Upstream[]> {
    const { forward, log } = this.#options;
    const remarks: string[] = [];
    const found = new Map<string, Upstream>();
    for (const to of forward.to) {
      const upstreams = 'file' in to ? await this.#readFile(to.file, remarks) : [to];
      for (const upstream of upstreams) found.set(upstreamKey(upstream), upstream);
    }
    const upstreams = [...found.values()].slice(0, MOST_UPSTREAMS);
    if (upstreams.length === 0)
      remarks.push('there is no upstream DNS server: names outside the cluster will not resolve');
    const names = upstreams.map(upstreamText);
    const text = [...names, ...remarks].join('\n');
    if (text !== this.#said) {
      for (const remark of remarks) log.warn({ corefile: forward.place }, remark);
      if (!isFirst) log.info({ upstreams: names }, 'upstream DNS servers changed');
      this.#said = text;
    }
    return upstreams;
  }

  async #readFile(file: string, remarks: string[]): Promise<readonly Upstream[]> {
    const { forward, own, ownPort, behindStub = BEHIND_STUB } = this.#options;
    const path = this.#path(file);
    const text = await textOf(path);
    if (text === undefined) {
      if (file !== USUAL_FILE) throw new CorefileError(forward.place, `forward: cannot read ${file}`);
      remarks.push(`cannot read ${path}`);
      return [];
    }
    const oneself = ownPort === 53 ? own : [];
    const conf = readResolvConf(text, path, oneself);
    remarks.push(...conf.remarks);
    if (!conf.hasStub) return conf.upstreams;
    const behind = await textOf(behindStub);
    const real = behind === undefined ? undefined : readResolvConf(behind, behindStub, oneself);
    if (!real || real.hasStub || real.upstreams.length === 0) {
      remarks.push(stubRemark(path));
      return conf.upstreams;
    }
    remarks.push(
      `${path} names a stub of systemd-resolved: the servers behind it are asked, from ${behindStub}`,
      ...real.remarks,
    );
    return real.upstreams;
  }
}
