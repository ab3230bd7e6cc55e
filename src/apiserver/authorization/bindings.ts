/**
 * Which bindings speak of whom: every RoleBinding and ClusterRoleBinding under each of its subjects, kept up to date by the watch cache. A
 * decision then looks at the bindings of one user and their groups, however many others there are.
 */
import { CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, type Kind } from '../../api/kinds.ts';
import type { ClusterRoleBinding, Rbac, RoleBinding } from '../../api/types.ts';
import type { Entry } from '../entry.ts';
import type { User } from '../request.ts';
import type { WatchCache } from '../watch-cache.ts';

export type Binding = (RoleBinding | ClusterRoleBinding) & { subjects?: Rbac.Subject[] };

/** A binding and the one of its subjects that the user is. */
export interface Held {
  readonly binding: Binding;
  readonly subject: Rbac.Subject;
}

const userKey = (name: string) => `user ${name}`;
const groupKey = (name: string) => `group ${name}`;

/** What a subject is found by; a service account is the user it authenticates as. Undefined: it can be nobody. */
function keyOfSubject({ kind, name, namespace }: Rbac.Subject, own: string): string | undefined {
  if (kind === 'User') return userKey(name);
  if (kind === 'Group') return groupKey(name);
  const scope = namespace === undefined || namespace === '' ? own : namespace;
  return kind === 'ServiceAccount' && scope !== '' ? userKey(`system:serviceaccount:${scope}:${name}`) : undefined;
}

/** Scope ('' for the cluster) -> subject -> binding by its key in the store. */
type Scope = Map<string, Map<string, Held>>;

export class BindingIndex {
  readonly #scopes = new Map<string, Scope>();

  constructor(cache: WatchCache) {
    for (const kind of [CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS] as Kind[]) {
      const kindCache = cache.of(kind);
      for (const entry of kindCache.range('')) this.#add(entry);
      kindCache.listeners.add(({ type, entry, previous }) => {
        if (previous) this.#remove(previous);
        if (type === 'put') this.#add(entry);
      });
    }
  }

  /** Those of the cluster ('' as `namespace`) or of one namespace. */
  *of({ name, groups }: User, namespace: string): Generator<Held> {
    const scope = this.#scopes.get(namespace);
    if (!scope) return;
    yield* scope.get(userKey(name))?.values() ?? [];
    for (const group of groups) yield* scope.get(groupKey(group))?.values() ?? [];
  }

  #add(entry: Entry): void {
    const binding = entry.object as Binding;
    const { namespace = '' } = binding.metadata;
    const scope: Scope = this.#scopes.get(namespace) ?? new Map<string, Map<string, Held>>();
    this.#scopes.set(namespace, scope);
    for (const subject of binding.subjects ?? []) {
      const key = keyOfSubject(subject, namespace);
      if (key === undefined) continue;
      const holders = scope.get(key) ?? new Map<string, Held>();
      scope.set(key, holders);
      holders.set(entry.key, { binding, subject });
    }
  }

  #remove(entry: Entry): void {
    const binding = entry.object as Binding;
    const { namespace = '' } = binding.metadata;
    const scope = this.#scopes.get(namespace);
    for (const subject of binding.subjects ?? []) {
      const key = keyOfSubject(subject, namespace) ?? '';
      const holders = scope?.get(key);
      holders?.delete(entry.key);
      if (holders?.size === 0) scope?.delete(key);
    }
    if (scope?.size === 0) this.#scopes.delete(namespace);
  }
}
