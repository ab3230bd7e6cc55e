/** Registry logins from imagePullSecrets. */
import type { Pod } from '../api/types.ts';
import type { RegistryAuth } from '../host/cri/cri.ts';
import { repositoryOf, type ImageReference } from './image-reference.ts';
import type { ObjectSource } from './parts.ts';

interface Login {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Logins of the pod's secrets that fit the image, the closest first. Secrets that are missing or unreadable give none, as in Kubernetes. */
export async function pullCredentials(
  pod: Pod,
  image: ImageReference,
  objects: Pick<ObjectSource, 'secret'>,
): Promise<RegistryAuth[]> {
  const found: { place: string; auth: RegistryAuth }[] = [];
  for (const { name = '' } of pod.spec.imagePullSecrets ?? []) {
    const secret = await objects.secret(pod.metadata.namespace ?? 'default', name).catch(() => undefined);
    for (const [place, login] of Object.entries(parseLogins(secret?.data ?? {}))) {
      const host = normalisePlace(place);
      if (fits(host, image)) found.push({ place: host, auth: toAuth(host, login) });
    }
  }
  return found.sort((a, b) => b.place.length - a.place.length).map(({ auth }) => auth);
}

/** The logins of a `.dockerconfigjson` or the older `.dockercfg`, by registry. */
export function parseLogins(data: Readonly<Record<string, string>>): Record<string, Login> {
  const [modern, legacy] = [data['.dockerconfigjson'], data['.dockercfg']];
  const encoded = modern ?? legacy;
  if (encoded === undefined) return {};
  try {
    const parsed = JSON.parse(Buffer.from(encoded, 'base64').toString()) as unknown;
    const logins = modern === undefined ? parsed : (parsed as { auths?: unknown } | null)?.auths;
    return logins !== null && typeof logins === 'object' ? (logins as Record<string, Login>) : {};
  } catch {
    return {};
  }
}

/** `https://index.docker.io/v1/` and `docker.io` are one place. */
function normalisePlace(place: string): string {
  const plain = place.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  return plain === 'index.docker.io' || plain === 'registry-1.docker.io' ? 'docker.io' : plain;
}

function fits(place: string, image: ImageReference): boolean {
  const repository = repositoryOf(image);
  return repository === place || repository.startsWith(`${place}/`);
}

function toAuth(serverAddress: string, login: Login): RegistryAuth {
  const [user, ...rest] = Buffer.from(login.auth ?? '', 'base64')
    .toString()
    .split(':');
  const username = login.username ?? user;
  const password = login.password ?? rest.join(':');
  return {
    serverAddress,
    ...(username !== undefined && username !== '' && { username, password }),
    ...(login.identitytoken !== undefined && { identityToken: login.identitytoken }),
    ...(login.registrytoken !== undefined && { registryToken: login.registrytoken }),
  };
}
