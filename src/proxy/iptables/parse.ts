/** The text of iptables-save, or of an iptables-restore input -> rules as data. */
import type { Chain, Match, Rule, Target } from './rule-set.ts';

/** Table -> its chains, in the order of the text. Built-in chains have a policy. */
export type Tables = Readonly<Record<string, readonly Chain[]>>;

/**
 * Total for what iptables writes: options nobody here knows become `unknown` matches and targets. `-I` and `-X` lines are carried
 * out on what was read so far, so a rendered rule set reads back as the kernel would hold it. Throws SyntaxError with the
 * line number on text that is neither.
 */
export function parse(text: string): Tables {
  const tables: Record<string, Chain[]> = {};
  let chains = new Map<string, { policy?: string; rules: Rule[] }>();
  let table: string | undefined;
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim().replace(/^\[\d+:\d+\] /, '');
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('*')) {
      table = line.slice(1);
      chains = new Map();
    } else if (line === 'COMMIT' && table !== undefined) {
      tables[table] = [...chains].map(([name, chain]) => ({ name, ...chain }));
      table = undefined;
    } else if (table === undefined || !parseLine(line, chains)) {
      throw new SyntaxError(`line ${String(at + 1)}: not iptables-save text: ${line.slice(0, 200)}`);
    }
  }
  return tables;
}

function parseLine(line: string, chains: Map<string, { policy?: string; rules: Rule[] }>): boolean {
  if (line.startsWith(':')) {
    const [name = '', policy = '-'] = line.slice(1).split(' ');
    chains.set(name, { rules: [], ...(policy !== '-' && { policy }) });
    return true;
  }
  const [verb, name = '', ...rest] = tokenize(line);
  if (verb === '-X') return chains.delete(name);
  if (verb !== '-A' && verb !== '-I') return false;
  let chain = chains.get(name);
  if (!chain) {
    // a restore input need not declare the built-in chains
    chain = { rules: [], policy: 'ACCEPT' };
    chains.set(name, chain);
  }
  const rule = parseRule(rest);
  if (verb === '-A') chain.rules.push(rule);
  else chain.rules.unshift(rule);
  return true;
}

/** The words of a line, quotes taken off. */
export function tokenize(line: string): string[] {
  if (!line.includes('"')) return line.split(' ').filter((token) => token !== '');
  const tokens = line.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  return tokens.map((token) => (token.startsWith('"') ? token.slice(1, -1).replaceAll(/\\(.)/g, '$1') : token));
}

/** Words that only name the module of the option that follows, or spell out a default. */
const SILENT = new Set([
  'tcp',
  'udp',
  'sctp',
  'comment',
  'conntrack',
  'mark',
  'addrtype',
  'statistic',
  'recent',
  'set',
]);

interface Reader {
  readonly take: () => string;
  readonly peek: () => string | undefined;
}

function readerOf(tokens: readonly string[]): Reader {
  let at = 0;
  return { take: () => tokens[at++] ?? '', peek: () => tokens[at] };
}

export function parseRule(tokens: readonly string[]): Rule {
  const reader = readerOf(tokens);
  const matches: Match[] = [];
  let target: Target = { kind: 'none' };
  let not = false;
  for (let token = reader.peek(); token !== undefined; token = reader.peek()) {
    reader.take();
    if (token === '!') {
      not = true;
      continue;
    }
    if (token === '-j' || token === '-g') target = parseTarget(token, reader);
    else if (!(token === '-m' && SILENT.has(reader.peek() ?? ''))) matches.push(parseMatch(token, not, reader));
    else {
      reader.take(); // the module's name; a `!` stays in force for its option
      continue;
    }
    not = false;
  }
  return { matches, target };
}

function parseMatch(token: string, isNegated: boolean, reader: Reader): Match {
  const not = isNegated ? { not: true } : {};
  switch (token) {
    case '--comment':
      return { kind: 'comment', text: reader.take() };
    case '-s':
      return { kind: 'source', cidr: reader.take(), ...not };
    case '-d':
      return { kind: 'destination', cidr: reader.take(), ...not };
    case '-i':
      return { kind: 'interface', name: reader.take(), ...not };
    case '--src-type':
      return { kind: 'address-type', of: 'src', type: reader.take(), ...not };
    case '--dst-type':
      return { kind: 'address-type', of: 'dst', type: reader.take(), ...not };
    case '--ctstate':
      return { kind: 'state', states: reader.take().split(','), ...not };
    case '--match-set':
      return { kind: 'set', name: reader.take(), directions: reader.take(), ...not };
    case '--mark': {
      const [value = '', mask = '0xffffffff'] = reader.take().split('/');
      return { kind: 'mark', value: Number(value), mask: Number(mask), ...not };
    }
    case '-p':
      if (!isNegated) return { kind: 'protocol', protocol: reader.take() };
      break;
    case '--dport':
      if (!isNegated && /^\d+$/.test(reader.peek() ?? '')) return { kind: 'dport', port: Number(reader.take()) };
      break;
    case '--mode':
    case '--name':
    case '--rcheck':
    case '--set':
      return parseModule(token, reader);
  }
  return unknownMatch(`${isNegated ? '! ' : ''}${token}`, reader);
}

/** Everything up to the next option that cannot belong to it: enough to be shown and refused. */
function unknownMatch(start: string, reader: Reader): Match {
  const words = [start];
  for (let next = reader.peek(); next !== undefined && !/^(?:-[jg]|-m|!)$/.test(next); next = reader.peek()) {
    words.push(reader.take());
  }
  return { kind: 'unknown', text: words.join(' ') };
}

/** `statistic` and `recent`, whose options belong together. */
function parseModule(first: string, reader: Reader): Match {
  const options = new Map<string, string>();
  const words: string[] = [];
  for (let token = first; ; token = reader.take()) {
    const next = reader.peek();
    const hasValue = next !== undefined && !next.startsWith('-') && next !== '!';
    const value = hasValue ? reader.take() : '';
    options.set(token, value);
    words.push(token, value);
    if (!/^--(?!comment$)/.test(reader.peek() ?? '')) break;
  }
  const name = options.get('--name');
  if (options.get('--mode') === 'random') {
    return { kind: 'random', probability: Number(options.get('--probability')) };
  }
  if (name !== undefined && options.has('--rcheck') && options.has('--seconds')) {
    return { kind: 'recent-check', name, seconds: Number(options.get('--seconds')) };
  }
  if (name !== undefined && options.has('--set')) return { kind: 'recent-set', name };
  return { kind: 'unknown', text: words.filter((word) => word !== '').join(' ') };
}

function parseTarget(verb: string, reader: Reader): Target {
  const name = reader.take();
  const words: string[] = [];
  for (let next = reader.peek(); next !== undefined; next = reader.peek()) words.push(reader.take());
  const options = words.join(' ');
  const other: Target = { kind: 'unknown', text: `${verb} ${name}${options === '' ? '' : ` ${options}`}` };
  if (verb === '-g') return other;
  switch (name) {
    case 'ACCEPT':
    case 'DROP':
    case 'RETURN':
      return { kind: name };
    case 'REJECT':
      return /^(?:--reject-with icmp6?-port-unreachable)?$/.test(options) ? { kind: name } : other;
    case 'MASQUERADE':
      return options === '' || options === '--random-fully' ? { kind: name, randomFully: options !== '' } : other;
    case 'DNAT':
      return words.length === 2 && words[0] === '--to-destination' ? { kind: name, to: words[1] ?? '' } : other;
    case 'REDIRECT':
      return words[0] === '--to-ports' && /^\d+$/.test(words[1] ?? '') && words.length === 2
        ? { kind: name, port: Number(words[1]) }
        : other;
    case 'MARK':
      return parseMark(words) ?? other;
  }
  return options === '' ? { kind: 'jump', chain: name } : other;
}

function parseMark([option, text = '']: readonly string[]): Target | undefined {
  if (option === '--or-mark') return { kind: 'MARK', op: 'or', bits: Number(text) };
  if (option === '--xor-mark') return { kind: 'MARK', op: 'xor', bits: Number(text) };
  if (option !== '--set-xmark') return undefined;
  // the general form clears the mask and flips the value: what the two short forms are kept as
  const [value, mask] = text.split('/').map(Number);
  if (value !== undefined && value === mask) return { kind: 'MARK', op: 'or', bits: value };
  return value !== undefined && mask === 0 ? { kind: 'MARK', op: 'xor', bits: value } : undefined;
}
