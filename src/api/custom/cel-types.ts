/** The types that Kubernetes adds to CEL: amounts, URLs, addresses and ranges (feature gates long gone; all are in 1.31). */
import type { Environment } from '@marcbachmann/cel-js';
import { cidrContains, parseNetwork, type Cidr } from '../../lib/cidr.ts';
import { parseIp, type Ip } from '../../lib/ip.ts';
import { parseQuantity } from '../quantity.ts';

const NANO = 1_000_000_000n;

/** Exact: in billionths. */
class Amount {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

const authority = /^[a-z][a-z\d+.-]*:\/\/(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]*)(?::(\d*))?/i;

class Link {
  readonly url: URL | undefined;
  readonly text: string;
  /** As they were written: JavaScript's URL drops a port that is the scheme's own. */
  readonly hostname: string;
  readonly port: string;
  constructor(text: string) {
    this.text = text;
    const [, hostname = '', port = ''] = authority.exec(text) ?? [];
    this.hostname = hostname.replace(/^\[|\]$/g, '');
    this.port = port;
    this.url = /^[a-z][a-z\d+.-]*:/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  }
}

class Address {
  readonly ip: Ip;
  constructor(ip: Ip) {
    this.ip = ip;
  }
}

class Range {
  readonly cidr: Cidr;
  constructor(cidr: Cidr) {
    this.cidr = cidr;
  }
}

/** Go's ParseRequestURI: absolute, or a path from the root. */
export function isUrl(text: string): boolean {
  return new Link(text).url !== undefined || (text.startsWith('/') && !/\s/.test(text));
}

function must<T>(value: T | undefined, what: string, text: string): T {
  if (value === undefined) throw new Error(`${JSON.stringify(text)} is not ${what}`);
  return value;
}

const amount = (text: string): Amount => new Amount(must(parseQuantity(text), 'a quantity', text).nanos);
const sign = (value: bigint): bigint => (value > 0n ? 1n : value < 0n ? -1n : 0n);

export function registerTypes(environment: Environment): void {
  environment
    .registerType('Quantity', Amount)
    .registerFunction('isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined)
    .registerFunction('quantity(string): Quantity', amount)
    .registerFunction('Quantity.isGreaterThan(Quantity): bool', (a: Amount, b: Amount) => a.nanos > b.nanos)
    .registerFunction('Quantity.isLessThan(Quantity): bool', (a: Amount, b: Amount) => a.nanos < b.nanos)
    .registerFunction('Quantity.compareTo(Quantity): int', (a: Amount, b: Amount) => sign(a.nanos - b.nanos))
    .registerFunction('Quantity.sign(): int', ({ nanos }: Amount) => sign(nanos))
    .registerFunction('Quantity.isInteger(): bool', ({ nanos }: Amount) => nanos % NANO === 0n)
    .registerFunction('Quantity.asInteger(): int', ({ nanos }: Amount) => nanos / NANO)
    .registerFunction('Quantity.asApproximateFloat(): double', ({ nanos }: Amount) => Number(nanos) / 1e9)
    .registerFunction('Quantity.add(Quantity): Quantity', (a: Amount, b: Amount) => new Amount(a.nanos + b.nanos))
    .registerFunction('Quantity.sub(Quantity): Quantity', (a: Amount, b: Amount) => new Amount(a.nanos - b.nanos))
    .registerFunction('Quantity.add(int): Quantity', (a: Amount, b: bigint) => new Amount(a.nanos + b * NANO))
    .registerFunction('Quantity.sub(int): Quantity', (a: Amount, b: bigint) => new Amount(a.nanos - b * NANO));
  registerUrls(environment);
  registerAddresses(environment);
}

function registerUrls(environment: Environment): void {
  environment
    .registerType('URL', Link)
    .registerFunction('isURL(string): bool', isUrl)
    .registerFunction(
      'url(string): URL',
      (text: string) => new Link(must(isUrl(text) ? text : undefined, 'a URL', text)),
    )
    .registerFunction('URL.getScheme(): string', ({ url }: Link) => url?.protocol.slice(0, -1) ?? '')
    .registerFunction(
      'URL.getHost(): string',
      ({ hostname, port }: Link) => (hostname.includes(':') ? `[${hostname}]` : hostname) + (port && `:${port}`),
    )
    .registerFunction('URL.getHostname(): string', ({ hostname }: Link) => hostname)
    .registerFunction('URL.getPort(): string', ({ port }: Link) => port)
    .registerFunction(
      'URL.getEscapedPath(): string',
      ({ url, text }: Link) => url?.pathname ?? text.split('?')[0] ?? '',
    );
}

function registerAddresses(environment: Environment): void {
  environment
    .registerType('IP', Address)
    .registerFunction('isIP(string): bool', (text: string) => parseIp(text) !== undefined)
    .registerFunction('ip(string): IP', (text: string) => new Address(must(parseIp(text), 'an IP address', text)))
    .registerFunction('IP.family(): int', ({ ip }: Address) => (ip.family === 'IPv4' ? 4n : 6n))
    .registerType('CIDR', Range)
    .registerFunction('isCIDR(string): bool', (text: string) => parseNetwork(text) !== undefined)
    .registerFunction('cidr(string): CIDR', (text: string) => new Range(must(parseNetwork(text), 'a CIDR', text)))
    .registerFunction('CIDR.containsIP(IP): bool', ({ cidr }: Range, { ip }: Address) => cidrContains(cidr, ip))
    .registerFunction('CIDR.containsIP(string): bool', ({ cidr }: Range, text: string) => {
      const ip = parseIp(text);
      return ip !== undefined && cidrContains(cidr, ip);
    });
}
