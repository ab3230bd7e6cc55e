/** kubeconfig files: reads those of any cluster, writes those of ours. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ConnectionConfig } from './raw-request.ts';

/**
 * The connection of the current context.
 * @param readFile another where somebody else names the file
 * @throws Error naming the file and what is wrong with it
 */
export function loadKubeconfig(
  path: string,
  context?: string,
  readFile: (file: string) => Buffer = (file) => readFileSync(file),
): ConnectionConfig {
  try {
    const read = (file: string) => readFile(resolve(dirname(path), file));
    return parseKubeconfig(readFile(path).toString(), read, context);
  } catch (error) {
    throw new Error(`kubeconfig ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

type Fields = Record<string, unknown>;

/** @param read gives the bytes of a file that the kubeconfig names */
export function parseKubeconfig(text: string, read: (file: string) => Buffer, wanted?: string): ConnectionConfig {
  const config = parseYaml(text);
  if (!isFields(config)) throw new Error('is not a YAML map');
  const current = wanted ?? config['current-context'];
  if (typeof current !== 'string' || current === '') throw new Error('has no current-context');
  const context = named(config, 'contexts', 'context', current);
  const cluster = named(config, 'clusters', 'cluster', textOf(context, 'cluster') ?? '');
  const userName = textOf(context, 'user');
  const user = userName ? named(config, 'users', 'user', userName) : {};
  const foreign = ['exec', 'auth-provider', 'username'].find((field) => user[field] !== undefined);
  if (foreign) throw new Error(`user "${userName ?? ''}" logs in by "${foreign}", which is not supported`);
  const server = textOf(cluster, 'server');
  if (!server) throw new Error(`cluster "${textOf(context, 'cluster') ?? ''}" has no server`);
  const tokenFile = textOf(user, 'tokenFile');
  return withoutUndefined({
    server,
    ca: bytesOf(cluster, 'certificate-authority', read),
    cert: bytesOf(user, 'client-certificate', read),
    key: bytesOf(user, 'client-key', read),
    token: tokenFile ? () => read(tokenFile).toString('utf8').trim() : textOf(user, 'token'),
    tlsServerName: textOf(cluster, 'tls-server-name'),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true ? true : undefined,
  });
}

/** Of what is wrong only where: the line itself may be a key or a token, and errors are shown and logged. */
function parseYaml(text: string): unknown {
  try {
    return parse(text, { logLevel: 'error' });
  } catch (error) {
    throw new Error(`is no YAML: ${(error instanceof Error ? error.message : String(error)).split(/:?\n/)[0] ?? ''}`);
  }
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The entry called `name` of a list like `contexts: [{name, context}]`. */
function named(config: Fields, list: string, field: string, name: string): Fields {
  const entries: unknown = config[list];
  const found = Array.isArray(entries)
    ? entries.find((entry): entry is Fields => isFields(entry) && entry['name'] === name)
    : undefined;
  if (!found) throw new Error(`has no ${field} "${name}"`);
  const value = found[field];
  return isFields(value) ? value : {};
}

function textOf(fields: Fields, field: string): string | undefined {
  const value = fields[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new Error(`${field} must be text`);
  return value;
}

/** `x-data` holds base64 and wins over `x`, which names a file. */
function bytesOf(fields: Fields, field: string, read: (file: string) => Buffer): Buffer | undefined {
  const data = textOf(fields, `${field}-data`);
  if (data) return Buffer.from(data, 'base64');
  const file = textOf(fields, field);
  return file ? read(file) : undefined;
}

export interface KubeconfigOptions {
  /** Of the context and the cluster. */
  readonly name: string;
  readonly user: string;
  readonly server: string;
  /** PEM. */
  readonly ca: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly token?: string;
  readonly namespace?: string;
}

/** The text of a kubeconfig with everything inside. It holds a private key or token: write it with mode 0600. Pure. */
export function renderKubeconfig(options: KubeconfigOptions): string {
  const { name, user, server, ca, cert, key, token, namespace } = options;
  const base64 = (data: string | Buffer) => Buffer.from(data).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      {
        name: user,
        user: {
          ...(cert !== undefined && { 'client-certificate-data': base64(cert) }),
          ...(key !== undefined && { 'client-key-data': base64(key) }),
          ...(token !== undefined && { token }),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user, ...(namespace !== undefined && { namespace }) } }],
    'current-context': name,
  };
  return stringify(config, { lineWidth: 0 });
}
