/** CoreDNS' flags have one dash and more than one letter; here they become ours, so that `fairway dns` can stand in its place. Pure. */

const OURS: Readonly<Record<string, string>> = {
  conf: '--corefile',
  'dns.port': '--port',
  plugins: '--plugins',
  quiet: '--quiet',
  version: '--version',
};

/** `args`: all words behind `fairway`. */
export function withoutCoreDnsFlags(args: readonly string[]): readonly string[] {
  return args[0] === 'dns' ? args.map(ours) : args;
}

function ours(word: string): string {
  const [, name = '', value = ''] = /^--?([a-z.]+)(=.*)?$/.exec(word) ?? [];
  const flag = Object.hasOwn(OURS, name) ? OURS[name] : undefined;
  return flag === undefined ? word : `${flag}${value}`;
}
