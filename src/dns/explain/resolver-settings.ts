/** What a resolver library takes out of a resolv.conf (resolv.conf(5)). Pure. */

export type Libc = 'glibc' | 'musl';

export interface ResolverSettings {
  readonly servers: readonly string[];
  /** As written, in order. */
  readonly searches: readonly string[];
  /** Names with at least so many dots are tried as they are first. */
  readonly ndots: number;
  /** Seconds until a server is given up. */
  readonly timeout: number;
  readonly attempts: number;
  /** All of them, as written. */
  readonly options: readonly string[];
}

/** Both libraries take so many and ignore the others. */
export const MAX_SETTINGS_SERVERS = 3;
const DEFAULTS = { ndots: 1, timeout: 5, attempts: 2 };
const MOST = {
  glibc: { ndots: 15, timeout: 30, attempts: 5 },
  musl: { ndots: 15, timeout: 60, attempts: 10 },
};
/** musl reads lines of so many bytes, end of line included, and ignores longer ones altogether. */
const MUSL_LINE = 256;

export function readSettings(text: string, libc: Libc): ResolverSettings {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    if (libc === 'musl' && line.length >= MUSL_LINE) continue;
    const [keyword, ...words] = line
      .replace(/^[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined && servers.length < MAX_SETTINGS_SERVERS)
      servers.push(words[0]);
    if (keyword === 'search') searches = words;
    if (keyword === 'domain') searches = words.slice(0, 1);
    if (keyword === 'options') options.push(...words);
  }
  const numberOf = (name: keyof typeof DEFAULTS): number => {
    const values = options.flatMap((option) => {
      const value = option.startsWith(`${name}:`) ? Number.parseInt(option.slice(name.length + 1), 10) : Number.NaN;
      return Number.isNaN(value) || value < 0 ? [] : [value];
    });
    return Math.min(values.at(-1) ?? DEFAULTS[name], MOST[libc][name]);
  };
  return {
    servers: servers.length > 0 ? servers : ['127.0.0.1'],
    searches,
    ndots: numberOf('ndots'),
    timeout: Math.max(1, numberOf('timeout')),
    attempts: Math.max(1, numberOf('attempts')),
    options,
  };
}

/** The lines of a resolv.conf, as the kubelet has the runtime write it. */
export function renderResolvConf(conf: {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}): string {
  const lines = [
    ...(conf.searches.length > 0 ? [`search ${conf.searches.join(' ')}`] : []),
    ...conf.servers.map((server) => `nameserver ${server}`),
    ...(conf.options.length > 0 ? [`options ${conf.options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
