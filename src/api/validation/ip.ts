/** Addresses and ranges in fields: strict for new values, whatever is already stored stays acceptable (feature 1-033). */
import { formatCidr, parseCidr, parseNetwork } from '../../lib/cidr.ts';
import { formatIp, parseIp, type Ip } from '../../lib/ip.ts';
import { invalid, type FieldError } from '../field-error.ts';

const mapped = (ip: Ip): boolean => ip.family === 'IPv6' && ip.value >> 32n === 0xffffn;

/** Octets such as 010 read as eight or as ten, depending on the program. */
const withoutLeadingZeros = (text: string): string => text.replace(/(^|[.:/])0+(?=\d)/g, '$1');

/** @param accepted values that were stored before and are not questioned again */
export function validateIp(path: string, text: string, accepted: readonly string[] = []): FieldError[] {
  if (accepted.includes(text)) return [];
  const ip = parseIp(text);
  if (ip) return mapped(ip) ? [invalid(path, text, 'must not be an IPv4-mapped IPv6 address')] : [];
  if (!text.includes(':') && parseIp(withoutLeadingZeros(text)))
    return [invalid(path, text, 'must not have leading 0s')];
  return [invalid(path, text, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
}

/** New kinds take an address in one spelling only. */
export function validateCanonicalIp(path: string, text: string): FieldError[] {
  const ip = parseIp(text);
  if (!ip) return [invalid(path, text, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  const canonical = formatIp(ip);
  return text === canonical ? [] : [invalid(path, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

export function validateCidr(path: string, text: string, accepted: readonly string[] = []): FieldError[] {
  if (accepted.includes(text)) return [];
  const slash = text.lastIndexOf('/');
  const address = parseIp(text.slice(0, Math.max(slash, 0)));
  const length = text.slice(slash + 1);
  if (address && /^(0|[1-9]\d{0,2})$/.test(length) && Number(length) <= (address.family === 'IPv4' ? 32 : 128)) {
    if (mapped(address)) return [invalid(path, text, 'must not have an IPv4-mapped IPv6 address')];
    const hostBits = BigInt((address.family === 'IPv4' ? 32 : 128) - Number(length));
    if ((address.value >> hostBits) << hostBits === address.value) return [];
    return [invalid(path, text, 'must not have bits set beyond the prefix length')];
  }
  const lenient = slash > 0 && !text.includes(':') && parseCidr(withoutLeadingZeros(text));
  if (lenient) return [invalid(path, text, 'must not have leading 0s in IP or prefix length')];
  return [invalid(path, text, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')];
}

/** A range in one spelling only (ServiceCIDR). */
export function validateCanonicalCidr(path: string, text: string): FieldError[] {
  const errors = validateCidr(path, text);
  if (errors.length > 0) return errors;
  const cidr = parseCidr(text);
  const canonical = cidr ? formatCidr(cidr) : text;
  return text === canonical ? [] : [invalid(path, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

const inRange = (ip: Ip, family: Ip['family'], prefix: bigint, hostBits: number): boolean =>
  ip.family === family && ip.value >> BigInt(hostBits) === prefix;

/** Addresses traffic can be sent to: nothing unspecified, loopback or link-local (features 1-070, 2-032, 2-037). */
export function validateEndpointIp(path: string, text: string): FieldError[] {
  const ip = parseIp(text);
  if (!ip) return [];
  const errors: FieldError[] = [];
  if (ip.value === 0n) errors.push(invalid(path, text, `may not be unspecified (${text})`));
  if (inRange(ip, 'IPv4', 127n, 24) || (ip.family === 'IPv6' && ip.value === 1n)) {
    errors.push(invalid(path, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  if (inRange(ip, 'IPv4', 0xa9fen, 16) || inRange(ip, 'IPv6', 0xfe80n >> 6n, 118)) {
    errors.push(invalid(path, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (inRange(ip, 'IPv4', 0xe00000n, 8) || inRange(ip, 'IPv6', 0xff02n, 112)) {
    errors.push(invalid(path, text, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
  return errors;
}

const unmapped = (ip: Ip): string => formatIp({ family: 'IPv4', value: ip.value & 0xffffffffn });

function nonStandard(path: string, what: string, text: string, use: string): string {
  return `${path}: non-standard ${what} ${JSON.stringify(text)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(use)}`;
}

/** The same for a range; only what was stored before the rules were strict can get one of the first two. */
export function cidrWarnings(path: string, text: string): string[] {
  const plain = parseNetwork(text) ?? parseNetwork(withoutLeadingZeros(text));
  if (!plain) return [];
  const network = formatCidr(plain);
  const address = parseIp(withoutLeadingZeros(text).split('/')[0] ?? '');
  const warnings: string[] = [];
  if (address && address.value !== plain.base) {
    const single = `${formatIp(address)}/${address.family === 'IPv4' ? '32' : '128'}`;
    const [one, other] = [JSON.stringify(network), JSON.stringify(single)];
    warnings.push(
      `${path}: CIDR value ${JSON.stringify(text)} is ambiguous in this context (should be ${one} or ${other}?)`,
    );
  }
  if (!parseNetwork(text)) warnings.push(nonStandard(path, 'CIDR value', text, network));
  else if (warnings.length === 0 && plain.family === 'IPv6' && network !== text) {
    warnings.push(
      `${path}: IPv6 CIDR value ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(network)})`,
    );
  }
  return warnings;
}

/** A warning for an address that is valid but not written as other programs would write it. */
export function ipWarnings(path: string, text: string): string[] {
  const ip = parseIp(text);
  if (!ip) {
    const lenient = text.includes(':') ? undefined : parseIp(withoutLeadingZeros(text));
    return lenient ? [nonStandard(path, 'IP address', text, formatIp(lenient))] : [];
  }
  if (mapped(ip)) return [nonStandard(path, 'IP address', text, unmapped(ip))];
  const canonical = formatIp(ip);
  return ip.family === 'IPv6' && canonical !== text
    ? [
        `${path}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`,
      ]
    : [];
}
