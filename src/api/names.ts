/**
 * The text rules for names, label keys and values, ports and the like (feature 8-087). Each returns what is wrong, as Kubernetes words it;
 * an empty list means valid.
 */
type Rule = (text: string) => string[];

const maxLength = (length: number): string => `must be no more than ${length} bytes`;

function regexMessage(message: string, pattern: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return examples.length === 0
    ? `${message} (regex used for validation is '${pattern}')`
    : `${message} (e.g. ${shown}regex used for validation is '${pattern}')`;
}

/** A rule of a length limit and a pattern that must cover the whole text. */
function patternRule(limit: number, pattern: string, message: string, ...examples: string[]): Rule {
  const whole = new RegExp(`^(?:${pattern})$`);
  const mismatch = regexMessage(message, pattern, ...examples);
  return (text) => [
    ...(Buffer.byteLength(text) > limit ? [maxLength(limit)] : []),
    ...(whole.test(text) ? [] : [mismatch]),
  ];
}

const labelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`;
const qualifiedPattern = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

export const dns1123Label = patternRule(
  63,
  labelPattern,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  'my-name',
  '123-abc',
);

export const dns1123Subdomain = patternRule(
  253,
  subdomainPattern,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);

const underscoreLabel = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';

/** As search domains may be (KEP-4427): labels such as `_sip` too. */
export const dns1123SubdomainWithUnderscore = patternRule(
  253,
  `${underscoreLabel}(\\.${underscoreLabel})*`,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);

export const dns1035Label = patternRule(
  63,
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  'my-name',
  'abc-123',
);

export const wildcardSubdomain = patternRule(
  253,
  `\\*\\.${subdomainPattern}`,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  '*.example.com',
);

export const labelValue = patternRule(
  63,
  `(${qualifiedPattern})?`,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  'MyValue',
  'my_value',
  '12345',
);

const qualifiedMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const qualifiedExamples = ['MyName', 'my.name', '123-abc'] as const;
const qualifiedWhole = new RegExp(`^(?:${qualifiedPattern})$`);

/** A label key: `name` or `example.com/name`. */
export function qualifiedName(text: string): string[] {
  const parts = text.split('/');
  if (parts.length > 2) {
    return [
      `a qualified name ${regexMessage(qualifiedMessage, qualifiedPattern, ...qualifiedExamples)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? '';
  const problems: string[] = [];
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') problems.push('prefix part must be non-empty');
    else problems.push(...dns1123Subdomain(prefix).map((problem) => `prefix part ${problem}`));
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > 63) problems.push(`name part ${maxLength(63)}`);
  if (!qualifiedWhole.test(name)) {
    problems.push(`name part ${regexMessage(qualifiedMessage, qualifiedPattern, ...qualifiedExamples)}`);
  }
  return problems;
}

/** `example.com/path`: a controller name, a signer. */
export function domainPrefixedPath(text: string): string[] {
  if (text === '') return ['must be non-empty'];
  const slash = text.indexOf('/');
  if (slash <= 0 || slash === text.length - 1) {
    return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  }
  const problems = dns1123Subdomain(text.slice(0, slash)).map((problem) => `prefix part ${problem}`);
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(text.slice(slash + 1))) {
    problems.push(regexMessage('Invalid path', "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"));
  }
  return problems;
}

const configKeyPattern = patternRule(
  253,
  '[-._a-zA-Z0-9]+',
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  'key.name',
  'KEY_NAME',
  'key-name',
);

/** A key of a ConfigMap or a Secret; also a file name once mounted, hence no '..'. */
export function configMapKey(text: string): string[] {
  const problems = configKeyPattern(text);
  if (text === '.') problems.push("must not be '.'");
  else if (text === '..') problems.push("must not be '..'");
  else if (text.startsWith('..')) problems.push("must not start with '..'");
  return problems;
}

export function envVarName(text: string): string[] {
  if (text === '') return ['environment variable name must be non-empty'];
  return /^[ -<>-~]+$/.test(text)
    ? []
    : [
        regexMessage(
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
          '^[ -<>-~]+$',
        ),
      ];
}

/** IANA service name: a container port's name, a named targetPort (feature 1-057). */
export function portName(text: string): string[] {
  const problems: string[] = [];
  if (text.length > 15) problems.push(maxLength(15));
  if (!/^[-a-z0-9]+$/.test(text))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(text)) problems.push('must contain at least one letter (a-z)');
  if (text.includes('--')) problems.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
}

export function portNumber(port: number): string[] {
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
}

/** RBAC kinds: any text that can be one segment of a URL. */
export function pathSegmentName(text: string): string[] {
  if (text === '.' || text === '..') return [`may not be '${text}'`];
  return ['/', '%'].filter((bad) => text.includes(bad)).map((bad) => `may not contain '${bad}'`);
}
