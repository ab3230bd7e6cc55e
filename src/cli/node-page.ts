/** Pages of a node's agent, by way of the API server: `/api/v1/nodes/NAME/proxy/…`. Who may read them is decided there. */
import type { Command } from 'commander';
import type { Readable } from 'node:stream';
import { isNotFound } from '../api/api-error.ts';
import { NODES, PODS } from '../api/kinds.ts';
import type { Node, Pod } from '../api/types.ts';
import type { HttpClient } from '../client/http-client.ts';
import { Answer } from './answer.ts';
import { knownLayout, requireRoot, withClusterFlags, type ClusterFlags } from './common.ts';

export interface ApiFlags extends ClusterFlags {
  readonly kubeconfig?: string;
}

/** `--kubeconfig`, or a local cluster. */
export function withApiFlags(command: Command): Command {
  return withClusterFlags(
    command.option(
      '--kubeconfig <file>',
      'how to reach the API server (default: the administrator of the local cluster)',
    ),
  );
}

/** @param words what was typed behind `fairway`, to say how to become root */
export async function connectApi(flags: ApiFlags, words: string): Promise<HttpClient> {
  const [{ createHttpClient }, { loadKubeconfig }] = await Promise.all([
    import('../client/http-client.ts'),
    import('../client/kubeconfig.ts'),
  ]);
  if (flags.kubeconfig !== undefined) return createHttpClient(loadKubeconfig(flags.kubeconfig));
  const { kubeconfig } = knownLayout(flags);
  requireRoot(words);
  return createHttpClient(loadKubeconfig(kubeconfig));
}

/** A Pod as it is written on the command line: `web`, `shop/web`, `pod/web`. */
export function podName(text: string, namespace: string): { namespace: string; name: string } {
  const [first = '', second] = text.split('/');
  if (second === undefined) return { namespace, name: first };
  return first === 'pod' || first === 'pods' ? { namespace, name: second } : { namespace: first, name: second };
}

export async function findPod(client: HttpClient, text: string, namespace: string): Promise<Pod | undefined> {
  const wanted = podName(text, namespace);
  return await found(client.get(PODS, wanted.name, wanted.namespace));
}

export async function findNode(client: HttpClient, name: string): Promise<Node | undefined> {
  return await found(client.get(NODES, name.replace(/^nodes?\//, '')));
}

async function found<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export async function nodeNames(client: HttpClient): Promise<string[]> {
  const { items } = await client.list(NODES);
  return items.map(({ metadata }) => metadata.name).sort();
}

export interface PageOptions {
  readonly signal?: AbortSignal;
  readonly streaming?: boolean;
  readonly timeoutMs?: number;
}

/** @throws Answer where the node says no */
export async function openPage(
  client: HttpClient,
  node: string,
  path: string,
  query: URLSearchParams,
  options: PageOptions = {},
): Promise<Readable> {
  const { readText } = await import('../client/lines.ts');
  const whole = `/api/v1/nodes/${encodeURIComponent(node)}/proxy${path}?${query.toString()}`;
  const { status, stream } = await client.raw('GET', whole, options);
  if (status === 200) return stream;
  const text = (await readText(stream, MOST_ERROR).catch(() => '')).trim();
  throw new Answer(2, `fairway: ${refusalOf(node, status, text)}`);
}

const MOST_ERROR = 64 * 1024;

function refusalOf(node: string, status: number, text: string): string {
  const words = messageIn(text);
  if (status === 404 && /page not found/.test(words))
    return `node ${node} has no DNS server of Fairway that could be asked`;
  return words === '' ? `node ${node} answered ${String(status)}` : words;
}

/** Of a Status, or the text as it is. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}
