/** Service account tokens of projected volumes: asked for once, kept until 80 % of their life has passed. */
import { SERVICE_ACCOUNTS } from '../../api/kinds.ts';
import type { Core, KubeObject, Pod } from '../../api/types.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../lib/clock.ts';
import { VolumeError } from '../parts.ts';
import type { PayloadContext, ProjectedToken } from './payload.ts';

/** What the `token` subresource takes and answers (authentication.k8s.io/v1). */
interface TokenRequest extends KubeObject {
  spec: {
    audiences: string[];
    expirationSeconds: number;
    boundObjectRef: { kind: string; apiVersion: string; name: string; uid: string };
  };
  status?: { token?: string; expirationTimestamp?: string };
}

const HOUR = 3600;
/** A token with a long life is replaced every day all the same. */
const OLDEST = 24 * HOUR * 1000;

export interface TokenSource {
  get: PayloadContext['token'];
  /** Forgets the tokens of a pod that is gone. */
  forget(podUid: string): void;
}

export function createTokenSource(client: Pick<Client, 'create'>, clock: Clock): TokenSource {
  const kept = new Map<string, ProjectedToken>();
  return {
    async get(pod, volume, source) {
      const key = [pod.metadata.uid, volume, source.path, source.audience, source.expirationSeconds].join('\n');
      const known = kept.get(key);
      if (known && clock.now() < known.refreshAt) return known;
      const token = await request(client, clock, pod, source);
      kept.set(key, token);
      return token;
    },
    forget(podUid) {
      for (const key of kept.keys()) if (key.startsWith(`${podUid}\n`)) kept.delete(key);
    },
  };
}

async function request(
  client: Pick<Client, 'create'>,
  clock: Clock,
  pod: Pod,
  source: Core.ServiceAccountTokenProjection,
): Promise<ProjectedToken> {
  const { name, namespace = 'default', uid = '' } = pod.metadata;
  const account = pod.spec.serviceAccountName ?? 'default';
  const wanted: TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: account, namespace },
    spec: {
      audiences: source.audience === undefined || source.audience === '' ? [] : [source.audience],
      expirationSeconds: source.expirationSeconds ?? HOUR,
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
    },
  };
  const asked = clock.now();
  const answer = await client.create(SERVICE_ACCOUNTS, wanted, { subresource: 'token' }).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VolumeError(`failed to fetch token: ${why}`, { cause });
  });
  const { token, expirationTimestamp } = (answer as Partial<TokenRequest>).status ?? {};
  if (token === undefined) throw new VolumeError('failed to fetch token: the API server answered without one');
  const life = Date.parse(expirationTimestamp ?? '') - asked;
  const good = Number.isFinite(life) && life > 0 ? life : wanted.spec.expirationSeconds * 1000;
  return { token, refreshAt: asked + Math.min(good * 0.8, OLDEST) };
}
