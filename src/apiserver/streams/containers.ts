/** Which container of a Pod is meant (features 7-058, 7-063). */
import { badRequest } from '../../api/api-error.ts';
import type { Pod } from '../../api/types.ts';

/** Throws BadRequest when it is ambiguous or not there. */
export function chooseContainer(pod: Pod, asked: string | null): string {
  const { name } = pod.metadata;
  const main = pod.spec.containers.map((container) => container.name);
  const init = (pod.spec.initContainers ?? []).map((container) => container.name);
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) => container.name);
  if (asked !== null && asked !== '') {
    if ([...main, ...init, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = main;
  if (only !== undefined && main.length === 1) return only;
  const others = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]${others}`);
}
