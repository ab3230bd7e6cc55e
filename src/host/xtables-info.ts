/**
 * Whether anybody wrote to the tables of iptables, asked of the kernel itself in a microsecond and without reading a rule: for legacy the
 * number of entries and bytes of each table, for the variant on nf_tables the number of its transactions. Of the network namespace of
 * this process.
 */
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';
import type { Family } from '../lib/ip.ts';
import { HostError } from './exec.ts';
import type { IptablesVariant } from './iptables.ts';

export interface TableStamp {
  /** Equal texts: nobody wrote in between. */
  readonly text: string;
  /** Legacy only, by table: one for each rule, two for each chain that is not built in. What is built in counts too. */
  readonly entries?: Readonly<Record<string, number>>;
}

export interface TableStamps {
  /** Throws HostError or NetlinkError where the kernel does not answer. */
  read(): TableStamp;
  close(): void;
}

/** Entries of a table that is empty: its built-in chains, and the mark at its end. */
export const EMPTY_ENTRIES: Readonly<Record<string, number>> = { mangle: 6, filter: 4, nat: 5 };

/** Loads koffi, about 9 MB. Throws Error where koffi has no binary for this platform, HostError or NetlinkError without the rights. */
export async function openTableStamps(variant: IptablesVariant, family: Family): Promise<TableStamps> {
  if (variant === 'legacy') return new LegacyStamps(family);
  const { NfGeneration } = await import('./netlink/nf-generation.ts');
  const generation = new NfGeneration();
  return {
    read: () => ({ text: String(generation.read()) }),
    close: () => {
      generation.close();
    },
  };
}

const AF = { IPv4: 2, IPv6: 10 } as const;
const LEVEL = { IPv4: 0, IPv6: 41 } as const;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_RAW = 255;
/** `IPT_SO_GET_INFO`, and the same number for IPv6. */
const GET_INFO = 64;
/** `struct ipt_getinfo`: a name of 32 bytes, eleven words about hooks, the number of entries, their bytes. */
const INFO_BYTES = 84;
const ENTRIES_AT = 76;
const SIZE_AT = 80;

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number;
  close(fd: number): number;
  errno(): number;
}

let loaded: Libc | undefined;

function libc(): Libc {
  if (loaded) return loaded;
  const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
  const lib = koffi.load(null);
  loaded = {
    socket: lib.func('int socket(int, int, int)') as Libc['socket'],
    getsockopt: lib.func('int getsockopt(int, int, int, void *, void *)') as Libc['getsockopt'],
    close: lib.func('int close(int)') as Libc['close'],
    errno: () => koffi.errno(),
  };
  return loaded;
}

class LegacyStamps implements TableStamps {
  readonly #family: Family;
  readonly #fd: number;
  readonly #info = Buffer.alloc(INFO_BYTES);
  readonly #length = Buffer.alloc(4);

  constructor(family: Family) {
    this.#family = family;
    this.#fd = libc().socket(AF[family], SOCK_RAW_CLOEXEC, IPPROTO_RAW);
    if (this.#fd < 0) throw this.#failed('socket');
  }

  read(): TableStamp {
    const entries: Record<string, number> = {};
    let text = '';
    for (const table of Object.keys(EMPTY_ENTRIES)) {
      this.#info.fill(0);
      this.#info.write(table);
      this.#length.writeUInt32LE(INFO_BYTES);
      const level = LEVEL[this.#family];
      if (libc().getsockopt(this.#fd, level, GET_INFO, this.#info, this.#length) < 0) throw this.#failed(table);
      const count = this.#info.readUInt32LE(ENTRIES_AT);
      entries[table] = count;
      text += `${String(count)}/${String(this.#info.readUInt32LE(SIZE_AT))} `;
    }
    return { text, entries };
  }

  close(): void {
    libc().close(this.#fd);
  }

  #failed(what: string): HostError {
    return new HostError(['getsockopt', 'IPT_SO_GET_INFO', what], `errno ${String(libc().errno())}`, undefined, '');
  }
}
