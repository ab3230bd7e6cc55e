/** A look-up from this machine, without a cluster: `--server` and `--resolv-conf`. What the servers do is not told. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { QueryReport } from '../dns/explain/report.ts';
import type { ResolverSettings } from '../dns/explain/resolver-settings.ts';

export interface HereOptions {
  /** In upper case, with commas between. */
  readonly type: string;
  readonly server?: { readonly address: string; readonly port: number };
  readonly resolvConf?: string;
}

/** `10.96.0.10`, `10.96.0.10:1053`, `fd00::a`, `[fd00::a]:1053`. */
export function parseServer(text: string): NonNullable<HereOptions['server']> {
  const [, bracketed, plain = text, digits = '53'] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const [address, port] = [bracketed ?? plain, Number(digits)];
  if (isIP(address) === 0 || port < 1 || port > 65_535)
    throw new InvalidArgumentError('It must be an address, with or without a port: 10.96.0.10:53.');
  return { address, port };
}

/** @throws Error that says what is wrong with the type or the file */
export async function queryHere(name: string, { type, server, resolvConf }: HereOptions): Promise<QueryReport> {
  const [explain, { askServer, isAskable }, { parseType, typeName }] = await Promise.all([
    import('../dns/explain/index.ts'),
    import('../dns/explain/ask.ts'),
    import('../dns/wire/record-text.ts'),
  ]);
  if (!isAskable(name)) throw new Error(`invalid name ${JSON.stringify(name)}`);
  const types = type.split(',').map((text) => {
    const code = parseType(text);
    if (code === undefined) throw new Error(`invalid type ${JSON.stringify(text)}`);
    return code;
  });
  const text = server
    ? explain.renderResolvConf({ servers: [server.address], searches: [], options: [] })
    : readFileSync(resolvConf ?? '/etc/resolv.conf', 'utf8');
  const settings = { glibc: explain.readSettings(text, 'glibc'), musl: explain.readSettings(text, 'musl') };
  const full = server && !name.endsWith('.') ? `${name}.` : name;
  const how = howToAsk(settings.glibc, server?.port);
  const lookup = await explain.lookUp({ name: full, types, settings }, (one, asked, at) =>
    askServer(one, asked, at, how),
  );
  const report = {
    name: full,
    types: types.map(typeName),
    from: { kind: 'here', node: '' } as const,
    ...(!server && { resolver: { resolvConf: text, source: 'file' } as const }),
    steps: explain.stepsOf(lookup, []),
    endings: lookup.endings,
  };
  return { ...report, hints: explain.hintsOf(report, { zones: [], clusterDns: [], elsewhere: [] }) };
}

const howToAsk = ({ timeout, options }: ResolverSettings, port: number | undefined) => ({
  timeout: timeout * 1000,
  tcp: options.includes('use-vc'),
  ...(port !== undefined && { port }),
});
