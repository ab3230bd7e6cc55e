/** From a log, exec, attach or port-forward request on a Pod to the same on its kubelet (features 7-053, 7-059, 7-060, 7-065). */
import { badRequest } from '../../api/api-error.ts';
import type { Pod } from '../../api/types.ts';
import { chooseContainer } from './containers.ts';

/** Query parameters of a log request that the kubelet takes as they are. */
const logParameters = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
] as const;

/** What the API calls a stream, and what the kubelet does. */
const streamParameters = [
  ['stdin', 'input'],
  ['stdout', 'output'],
  ['stderr', 'error'],
  ['tty', 'tty'],
] as const;

const isTrue = (text: string | null): boolean => text === 'true' || text === '1';
const segments = (...parts: (string | undefined)[]) => parts.map((part) => encodeURIComponent(part ?? '')).join('/');

/** Path and query on the kubelet. Throws BadRequest. */
export function logTarget(pod: Pod, query: URLSearchParams): string {
  const container = chooseContainer(pod, query.get('container'));
  const asked = new URLSearchParams();
  for (const name of logParameters) {
    const value = query.get(name);
    if (value === null || value === '') continue;
    if (['tailLines', 'limitBytes', 'sinceSeconds'].includes(name) && !/^\d{1,15}$/.test(value)) {
      throw badRequest(`${name}: Invalid value: ${JSON.stringify(value)}: must be a whole number, 0 or more`);
    }
    asked.set(name, value);
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
