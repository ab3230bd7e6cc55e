/** The nft command: whole texts in, a table's text out. What must be fast goes through `netlink/nf-tables.ts` instead. */
import { exec as realExec, HostError, type Exec } from './exec.ts';

export interface Nft {
  /** One transaction, whatever its length. Throws HostError; then nothing changed. */
  load(text: string): Promise<void>;
  /** Asks the kernel whether it would take the text; nothing changes. Throws HostError where it would not. */
  check(text: string): Promise<void>;
  /** As `nft list table` prints it; '' where there is no such table. `terse`: without elements. */
  list(family: 'ip' | 'ip6', table: string, options?: { readonly terse?: boolean }): Promise<string>;
  /** A table with one set or map alone; '' where it is not there. */
  listSet(kind: 'set' | 'map', family: 'ip' | 'ip6', table: string, set: string): Promise<string>;
  /** `[1, 0, 6]`. Throws HostError where there is no nft. */
  version(): Promise<readonly number[]>;
}

export function createNft(exec: Exec = realExec): Nft {
  const run = (args: readonly string[], input?: string) =>
    exec('nft', args, { timeout: 120_000, maxOutput: 256 * 1024 * 1024, ...(input !== undefined && { input }) });
  const listed = async (args: readonly string[]): Promise<string> => {
    try {
      return (await run(args)).stdout;
    } catch (error) {
      if (error instanceof HostError && error.stderr.includes('No such file or directory')) return '';
      throw error;
    }
  };
  return {
    load: async (text) => void (await run(['-f', '-'], text)),
    check: async (text) => void (await run(['--check', '-f', '-'], text)),
    list: (family, table, { terse = false } = {}) =>
      listed([...(terse ? ['--terse'] : []), 'list', 'table', family, table]),
    listSet: (kind, family, table, set) => listed(['list', kind, family, table, set]),
    version: async () => {
      const { stdout } = await run(['--version']);
      const [, numbers] = /v(\d+(?:\.\d+)*)/.exec(stdout) ?? [];
      if (numbers === undefined)
        throw new HostError(['nft', '--version'], `prints no version: ${stdout}`, undefined, '');
      return numbers.split('.').map(Number);
    },
  };
}
