/** What all reviews have in common: a question is created, answered in its status and never stored. */
import type { KindName } from '../../api/decode.ts';
import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { User } from '../request.ts';
import type { Server } from '../server.ts';
import type { Older } from './older.ts';

/** One kind of question: `create` is the only verb. */
export interface Review extends KindName {
  readonly plural: string;
  readonly namespaced?: boolean;
  /** Set for what is there for older clients only. */
  readonly older?: Older;
  /** The status. Throws ApiError for a question that makes no sense. */
  answer(call: ReviewCall): Promise<object> | object;
}

export interface ReviewCall {
  readonly asked: ReviewObject;
  readonly by: User;
  readonly server: Pick<Server, 'core' | 'authorizer' | 'rbac' | 'tokens' | 'bearers'>;
  /** That of the URL. */
  readonly namespace: string | undefined;
}

/** The specs of all of them in one: each kind has been decoded by its own schema. */
export interface ReviewSpec {
  resourceAttributes?: {
    namespace?: string;
    verb?: string;
    group?: string;
    version?: string;
    resource?: string;
    subresource?: string;
    name?: string;
    fieldSelector?: { requirements?: { key?: string; operator?: string; values?: string[] }[] };
  };
  nonResourceAttributes?: { path?: string; verb?: string };
  user?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
  token?: string;
  audiences?: string[];
  namespace?: string;
}

export interface ReviewObject extends KubeObject {
  spec?: ReviewSpec;
}

/** For messages: reviews are no rows of the table of kinds. */
export function kindOf({ kind = '', apiVersion = '' }: ReviewObject): Kind {
  const [group = '', version = ''] = apiVersion.split('/');
  const plural = `${kind.toLowerCase()}s`;
  const names = { plural, singular: kind.toLowerCase(), shortNames: [], categories: [] };
  return { group, version, kind, ...names, namespaced: false, subresources: [] };
}
