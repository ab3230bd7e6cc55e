/** Reads the objects that pods refer to straight from the API server: what a container starts with is what is there now. */
import { isNotFound } from '../api/api-error.ts';
import { CONFIG_MAPS, SECRETS } from '../api/kinds.ts';
import type { Client } from '../client/client.ts';
import type { ObjectSource } from './parts.ts';

export function objectSource(client: Pick<Client, 'get'>): ObjectSource {
  const orUndefined = async <T>(asked: Promise<T>): Promise<T | undefined> => {
    try {
      return await asked;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  return {
    configMap: (namespace, name) => orUndefined(client.get(CONFIG_MAPS, name, namespace)),
    secret: (namespace, name) => orUndefined(client.get(SECRETS, name, namespace)),
  };
}
