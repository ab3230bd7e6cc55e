/**
 * iptables: saving, restoring and checking rules of one address family in the network namespace of `exec`. Which of the two
 * implementations (legacy or on top of nf_tables) is used is decided by what is there, never by what a wrapper points to.
 */
import { exec as realExec, HostError, type Exec } from './exec.ts';
import { WholeLines } from './whole-lines.ts';

export type IptablesVariant = 'legacy' | 'nft';

/** `table`, and the words after `-C` (a chain and a rule). */
export interface IptablesCheck {
  readonly table: string;
  readonly rule: readonly string[];
}

export interface Iptables {
  readonly variant: IptablesVariant;
  /** Text of iptables-save, all tables that exist. Throws HostError. */
  save(): Promise<string>;
  /** The same as it comes, so that nobody needs to hold it all: some whole lines at a time. Throws HostError. */
  saveTo(take: (lines: Buffer) => void): Promise<void>;
  /** `iptables-restore --noflush --counters -w 5`: a table is changed whole or not at all. Throws HostError. */
  restore(text: string): Promise<void>;
  /** `restore` in a network namespace of its own that is gone afterwards: asks the kernel without changing anything. Throws HostError. */
  test(text: string): Promise<void>;
  /** Whether every one of these rules is there. Throws HostError where it could not be found out. */
  check(rules: readonly IptablesCheck[]): Promise<boolean>;
}

export interface IptablesOptions {
  readonly family?: 'IPv4' | 'IPv6';
  readonly exec?: Exec;
  /** Skips the choice. */
  readonly variant?: IptablesVariant;
}

/** Exit code of iptables when another program holds the lock for longer than `-w` allows. */
const LOCKED = 4;
const RESTORE = ['--noflush', '--counters', '-w', '5'];
/** Of a rule that is not there: 1 and 2 (2 where its chain or target is missing too). */
const ABSENT: readonly (number | undefined)[] = [1, 2];

/** ms. The variant on nf_tables takes minutes for what legacy does in seconds, and killing it would only make it start again. */
const RESTORE_TIMEOUT = 10 * 60_000;
const SAVE_TIMEOUT = 2 * 60_000;
/** Bytes: 30,000 Services of four endpoints are 60 MB. Strings end at 512 MB. */
const SAVE_OUTPUT = 500 * 1024 * 1024;

/** True for failures that will pass by themselves. */
export function isLockFailure(error: unknown): boolean {
  return error instanceof HostError && error.exitCode === LOCKED;
}

export function createIptables(variant: IptablesVariant, options: IptablesOptions = {}): Iptables {
  const { exec = realExec, family = 'IPv4' } = options;
  const tool = toolOf(variant, family);
  return {
    variant,
    save: async () => (await exec(`${tool}-save`, [], { timeout: SAVE_TIMEOUT, maxOutput: SAVE_OUTPUT })).stdout,
    saveTo: async (take) => {
      const lines = new WholeLines(take);
      await exec(`${tool}-save`, [], {
        timeout: SAVE_TIMEOUT,
        onOutput: (chunk) => {
          lines.add(chunk);
        },
      });
      lines.end();
    },
    restore: async (text) => {
      await exec(`${tool}-restore`, RESTORE, { input: text, timeout: RESTORE_TIMEOUT });
    },
    test: async (text) => {
      await exec('unshare', ['--net', `${tool}-restore`, ...RESTORE], { input: text, timeout: RESTORE_TIMEOUT });
    },
    check: async (rules) => {
      try {
        // legacy checks all in one process; the other does not carry out -C lines of a restore
        if (variant === 'legacy')
          await exec(`${tool}-restore`, ['--noflush', '--test', '-w', '5'], { input: checkText(rules) });
        else for (const { table, rule } of rules) await exec(tool, ['-w', '5', '-t', table, '-C', ...rule]);
        return true;
      } catch (error) {
        if (error instanceof HostError && ABSENT.includes(error.exitCode)) return false;
        throw error;
      }
    },
  };
}

function checkText(rules: readonly IptablesCheck[]): string {
  const quote = (word: string) => (/^[\w./:,%+-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`);
  const tables = new Map<string, string[]>();
  for (const { table, rule } of rules) {
    const lines = tables.get(table) ?? [];
    tables.set(table, lines);
    lines.push(`-C ${rule.map(quote).join(' ')}\n`);
  }
  return [...tables].map(([table, lines]) => `*${table}\n${lines.join('')}COMMIT\n`).join('');
}

export interface ChosenIptables {
  readonly iptables: Iptables;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

/**
 * The variant whose tables hold our chains, else the one the kubelet hints at (3-074), else the one with more rules, else legacy.
 * Looking must not create: tables of legacy come into being when they are listed, so the kernel's own list is read first.
 * Where only one of the tools is installed, that one. Throws HostError where none is.
 */
export async function chooseIptables(options: IptablesOptions = {}): Promise<ChosenIptables> {
  if (options.variant !== undefined) return { iptables: createIptables(options.variant, options), warnings: [] };
  const { exec = realExec, family = 'IPv4' } = options;
  const names = await exec('cat', [`/proc/net/${family === 'IPv6' ? 'ip6' : 'ip'}_tables_names`]).then(
    (result) => result.stdout.trim(),
    () => '', // no such file: the kernel has no legacy tables, or nobody used one yet
  );
  // a tool that is not there, or tables of others that it cannot read, are no reason to stop
  const look = (variant: IptablesVariant) => survey(createIptables(variant, options)).catch(() => NOTHING_THERE);
  const legacy = names === '' ? NOTHING_THERE : await look('legacy');
  const nft = await look('nft');
  const wanted = preferred(legacy, nft);
  const variant = (await isInstalled(wanted, family, exec)) ? wanted : otherThan(wanted);
  const warnings: string[] = [];
  if (variant !== wanted) {
    if (!(await isInstalled(variant, family, exec))) {
      throw new HostError(
        [`iptables-${wanted}`],
        'neither iptables-legacy nor iptables-nft is installed',
        undefined,
        '',
      );
    }
    if ((wanted === 'nft' ? nft : legacy).entries > 0 || (wanted === 'legacy' && names !== '')) {
      warnings.push(`iptables-${wanted} is in use here but its tool is missing; using iptables-${variant}`);
    }
  }
  if (legacy.entries > 0 && nft.entries > 0) {
    warnings.push(
      `both iptables-legacy and iptables-nft hold rules here; using ${variant}. Rules of both apply to every packet.`,
    );
  }
  return { iptables: createIptables(variant, options), warnings };
}

const otherThan = (variant: IptablesVariant): IptablesVariant => (variant === 'legacy' ? 'nft' : 'legacy');

async function isInstalled(variant: IptablesVariant, family: 'IPv4' | 'IPv6', exec: Exec): Promise<boolean> {
  try {
    await exec(`${toolOf(variant, family)}-restore`, ['--version']);
    return true;
  } catch (error) {
    // one that runs and fails is there
    return error instanceof HostError && error.exitCode !== undefined;
  }
}

const toolOf = (variant: IptablesVariant, family: 'IPv4' | 'IPv6'): string =>
  `${family === 'IPv6' ? 'ip6tables' : 'iptables'}-${variant}`;

/** What tells whose tables these are. */
interface Survey {
  /** Rules and chains of people: what an untouched table does not have. */
  readonly entries: number;
  /** A proxy was here. */
  readonly isOurs: boolean;
  /** The kubelet says that this is the one. */
  readonly isHinted: boolean;
}

const NOTHING_THERE: Survey = { entries: 0, isOurs: false, isHinted: false };

async function survey(iptables: Iptables): Promise<Survey> {
  let [entries, isOurs, isHinted] = [0, false, false];
  await iptables.saveTo((lines) => {
    const text = lines.toString('latin1');
    entries += text.match(/^(?:-A|:.* - \[)/gm)?.length ?? 0;
    isOurs ||= /^:KUBE-(?:SERVICES|POSTROUTING|PORTALS-CONTAINER) /m.test(text);
    isHinted ||= /^:KUBE-(?:IPTABLES-HINT|KUBELET-CANARY) /m.test(text);
  });
  return { entries, isOurs, isHinted };
}

function preferred(legacy: Survey, nft: Survey): IptablesVariant {
  for (const sign of ['isOurs', 'isHinted'] as const)
    if (legacy[sign] !== nft[sign]) return nft[sign] ? 'nft' : 'legacy';
  return nft.entries > legacy.entries ? 'nft' : 'legacy';
}
