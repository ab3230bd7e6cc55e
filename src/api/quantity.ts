/** Kubernetes quantities: `500m`, `128Mi`, `1e3`. Exact, in integers of one billionth. */
const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d{1,3}))?$/;

const nano = 1_000_000_000n;
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const;
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;

type Format = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The value times 10^9; finer fractions are rounded up, as Kubernetes does. */
  readonly nanos: bigint;
  readonly format: Format;
}

/** undefined when the text is no quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', suffix = '', exponent] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(`${whole}${fraction}` || '0');
  const { scale, factor } = suffixScale(suffix, exponent);
  const power = 9 + scale - fraction.length;
  const scaled = digits * factor;
  const nanos = power >= 0 ? scaled * 10n ** BigInt(power) : divideUp(scaled, 10n ** BigInt(-power));
  return {
    nanos: sign === '-' ? -nanos : nanos,
    format: exponent !== undefined ? 'DecimalExponent' : suffix.endsWith('i') ? 'BinarySI' : 'DecimalSI',
  };
}

function suffixScale(suffix: string, exponent: string | undefined): { scale: number; factor: bigint } {
  if (exponent !== undefined) return { scale: Number(exponent), factor: 1n };
  const power = binary.indexOf(suffix as (typeof binary)[number]);
  if (power > 0) return { scale: 0, factor: 1024n ** BigInt(power) };
  return { scale: (decimal.indexOf(suffix as (typeof decimal)[number]) - 3) * 3, factor: 1n };
}

const divideUp = (value: bigint, by: bigint): bigint => (value + by - 1n) / by;

/** The canonical text: the largest suffix that leaves an integer. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const value = nanos < 0n ? -nanos : nanos;
  // Binary suffixes only make sense for whole numbers of at least 1024.
  if (format === 'BinarySI' && value % nano === 0n && value / nano >= 1024n) {
    let rest = value / nano;
    let power = 0;
    while (rest % 1024n === 0n && power < binary.length - 1) {
      rest /= 1024n;
      power++;
    }
    return `${sign}${rest}${binary[power] ?? ''}`;
  }
  let rest = value;
  let power = 0;
  while (rest % 1000n === 0n && power < decimal.length - 1) {
    rest /= 1000n;
    power++;
  }
  if (format !== 'DecimalExponent') return `${sign}${rest}${decimal[power] ?? ''}`;
  const exponent = (power - 3) * 3;
  return exponent === 0 ? `${sign}${rest}` : `${sign}${rest}e${exponent}`;
}

/** The text as the server stores it, or undefined when it is no quantity. */
export function canonicalQuantity(text: string): string | undefined {
  const quantity = parseQuantity(text);
  return quantity && formatQuantity(quantity);
}

/** Negative, zero or positive; text that is no quantity counts as 0. */
export function compareQuantities(a: string | undefined, b: string | undefined): number {
  const [left, right] = [nanosOf(a), nanosOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

const nanosOf = (text: string | undefined): bigint => (text === undefined ? 0n : (parseQuantity(text)?.nanos ?? 0n));

/** Whole units, rounded up: bytes of `128Mi`, millicores of `quantityValue('0.5', 'm')`. */
export function quantityValue(text: string | undefined, unit: '' | 'm' = ''): number {
  return Number(divideUp(nanosOf(text), unit === 'm' ? 1_000_000n : nano));
}

/** The sum, in the first one's format. */
export function addQuantities(a: string, b: string): string {
  return formatQuantity({ nanos: nanosOf(a) + nanosOf(b), format: parseQuantity(a)?.format ?? 'DecimalSI' });
}
