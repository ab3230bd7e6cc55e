/** From a log, exec, attach or port-forward request on a Pod to the same on its kubelet (features 7-053, 7-059, 7-060, 7-065). */
import { badRequest } from '../../api/api-error.ts';
import type { Pod } from '../../api/types.ts';
import { chooseContainer } from './containers.ts';
import { checkLogOptions } from './log-options.ts';
import { isTrue } from '../query.ts';

/** Query parameters of a log request that the kubelet takes as they are. */
const logParameters = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
] as const;

const flags: readonly string[] = ['follow', 'previous', 'timestamps'];

/** What the API calls a stream, and what the kubelet does. */
const streamParameters = [
  ['stdin', 'input'],
  ['stdout', 'output'],
  ['stderr', 'error'],
  ['tty', 'tty'],
] as const;

const segments = (...parts: (string | undefined)[]) => parts.map((part) => encodeURIComponent(part ?? '')).join('/');

/** Path and query on the kubelet. Throws BadRequest and Invalid. */
export function logTarget(pod: Pod, query: URLSearchParams): string {
  checkLogOptions(pod.metadata.name, query);
  const container = chooseContainer(pod, query.get('container'));
  const asked = new URLSearchParams();
  for (const name of logParameters) {
    const value = query.get(name);
    if (value === null || value === '') continue;
    asked.set(name, flags.includes(name) ? String(isTrue(value)) : value);
  }
  const { namespace, name } = pod.metadata;
  return `/containerLogs/${segments(namespace, name, container)}?${asked.toString()}`;
}

/** Throws BadRequest. */
export function execTarget(verb: 'exec' | 'attach', pod: Pod, query: URLSearchParams): string {
  const container = chooseContainer(pod, query.get('container'));
  const asked = new URLSearchParams();
  for (const [from, to] of streamParameters) if (isTrue(query.get(from))) asked.set(to, '1');
  if (![...asked.keys()].some((key) => key !== 'tty')) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
  if (verb === 'exec') {
    const command = query.getAll('command');
    if (command.length === 0) throw badRequest('you must specify at least one command for the container');
    for (const word of command) asked.append('command', word);
  }
  const { namespace, name } = pod.metadata;
  return `/${verb}/${segments(namespace, name, container)}?${asked.toString()}`;
}

export function portForwardTarget(pod: Pod, query: URLSearchParams): string {
  const asked = new URLSearchParams();
  for (const port of query.getAll('ports').flatMap((text) => text.split(','))) asked.append('port', port);
  const { namespace, name } = pod.metadata;
  const text = asked.toString();
  return `/portForward/${segments(namespace, name)}${text && `?${text}`}`;
}
