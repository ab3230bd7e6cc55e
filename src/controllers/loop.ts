/**
 * What every controller runs on: one shared informer per kind, a work queue per controller, and the wiring from changes to keys.
 * A controller says which kinds it reads, which changes make which keys due, and how one key is reconciled (guideline G12).
 */
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import type { Change, Client, Informer } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/events.ts';
import { startInformer } from '../client/informer.ts';
import { realClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { WorkQueue, type Outcome } from '../lib/queue.ts';

export { done, retryAfter, stuck, type Outcome } from '../lib/queue.ts';

/** What a reconcile sees of the world. Objects from it are shared: copy before changing one. */
export interface View {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  get<T extends KubeObject>(kind: Kind<T>, name: string, namespace?: string): T | undefined;
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): T[];
  /** Objects by one of the kind's indexes: `controller` and `owner` (by uid) exist for every kind, more where a definition adds them. */
  byIndex<T extends KubeObject>(kind: Kind<T>, index: string, value: string): T[];
  /** Tells people through an Event on `object`. Never throws, never waits. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Makes a key of this same controller due. */
  enqueue(key: string, afterMs?: number): void;
  /**
   * Follows a kind nobody knew at the start: it can be read from now on, and its changes make keys due, until stopped. `ready` resolves when
   * its first list is there, or when it is stopped before.
   */
  follow(trigger: Trigger): { readonly ready: Promise<void>; stop(): void };
}

/** Which keys a change of one kind makes due. Made by `trigger`. */
export interface Trigger {
  readonly kind: Kind;
  readonly keys: (change: Change<KubeObject>, view: View) => Iterable<string>;
}

export interface IndexDefinition {
  readonly kind: Kind;
  readonly indexes: Record<string, (object: KubeObject) => string[]>;
}

export interface Controller {
  /** The name in logs and, as `source.component`, in events. */
  readonly name: string;
  /** Keys reconciled at the same time; one key never runs twice at once. Default 5. */
  readonly concurrency?: number;
  readonly triggers: readonly Trigger[];
  /** Kinds read besides those of the triggers. */
  readonly reads?: readonly Kind[];
  readonly indexes?: readonly IndexDefinition[];
  /** Keys that are due once at the start, whatever exists. */
  readonly atStart?: (view: View) => Iterable<string>;
  readonly reconcile: (key: string, view: View) => Promise<Outcome>;
}

/** Names the shape; a controller that keeps state between keys is a function that returns one. */
export function defineController(controller: Controller): Controller {
  return controller;
}

/** Ties changes of `kind` to keys, with the kind's own type. */
export function trigger<T extends KubeObject>(
  kind: Kind<T>,
  keys: (change: Change<T>, view: View) => Iterable<string>,
): Trigger {
  return { kind, keys: keys as Trigger['keys'] };
}

/** Adds an index over `kind`, for `view.byIndex`. */
export function index<T extends KubeObject>(
  kind: Kind<T>,
  indexes: Record<string, (object: T) => string[]>,
): IndexDefinition {
  return { kind, indexes: indexes as IndexDefinition['indexes'] };
}

/** `namespace/name`, or the name alone for a cluster-scoped object. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The trigger for the kind a controller is about: its own key on every change. */
export const itself = (change: Change<KubeObject>): string[] => [keyOf(change.object)];

/**
 * The trigger for what a controller made: the key of the controlling owner if it is of `ownerKind`. An object that changed hands
 * makes both owners due.
 */
export const controllerKeys =
  (ownerKind: Kind) =>
  (change: Change<KubeObject>): string[] => {
    const objects = change.type === 'updated' ? [change.old, change.object] : [change.object];
    const keys = objects.flatMap((object) => {
      const owner = object.metadata.ownerReferences?.find((reference) => reference.controller);
      if (owner?.kind !== ownerKind.kind || owner.apiVersion !== apiVersionOf(ownerKind)) return [];
      return [ownerKind.namespaced ? `${object.metadata.namespace ?? ''}/${owner.name}` : owner.name];
    });
    return [...new Set(keys)];
  };

const commonIndexes: IndexDefinition['indexes'] = {
  controller: (object) =>
    (object.metadata.ownerReferences ?? []).filter((reference) => reference.controller).map(({ uid }) => uid),
  owner: (object) => (object.metadata.ownerReferences ?? []).map(({ uid }) => uid),
};

export interface Controllers {
  /** Every informer has its first list and every queue runs. */
  readonly started: Promise<void>;
  /** Resolves when no key is due or running; what informers have not seen yet does not count. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export interface StartOptions {
  client: Client;
  log: Log;
  clock?: Clock;
}

/** Runs the controllers over one informer per kind. Keys are reconciled only once all that any controller reads is there. */
export function startControllers(controllers: readonly Controller[], options: StartOptions): Controllers {
  const { client, log, clock = realClock } = options;
  const informers = startInformers(controllers, client, log);
  const followers = { informers, client, log };
  const informerOf = <T extends KubeObject>(kind: Kind<T>): Informer<T> => {
    const informer = informers.get(kind.storedAs ?? kind);
    if (!informer) throw new Error(`no controller declares that it reads ${kind.plural}`);
    return informer as unknown as Informer<T>;
  };
  const recorders: EventRecorder[] = [];
  const running = controllers.map((controller) => {
    const ownLog = log.child({ controller: controller.name });
    const recorder = createEventRecorder(client, controller.name);
    recorders.push(recorder);
    const queue: WorkQueue = new WorkQueue({
      concurrency: controller.concurrency ?? 5,
      reconcile: (key) => controller.reconcile(key, view),
      clock,
      log: ownLog,
    });
    const view: View = {
      client,
      clock,
      log: ownLog,
      get: (kind, name, namespace) => informerOf(kind).get(name, namespace),
      list: (kind, namespace) => informerOf(kind).list(namespace),
      byIndex: (kind, name, value) => informerOf(kind).byIndex(name, value),
      event: (object, type, reason, message) => {
        recorder.event(object, type, reason, message);
      },
      enqueue: (key, afterMs = 0) => {
        if (afterMs > 0) queue.addAfter(key, afterMs);
        else queue.add(key);
      },
      follow: (added) => followKind(added, followers, queue, () => view),
    };
    return { controller, queue, view };
  });

  let stopped = false;
  const unsubscribes: (() => void)[] = [];
  const started = Promise.all([...informers.values()].map((informer) => informer.synced)).then(() => {
    if (stopped) return;
    for (const { controller, queue, view } of running) {
      // Subscribed late on purpose: the keys of a change may need other kinds, so all must be there first.
      for (const { kind, keys } of controller.triggers) {
        unsubscribes.push(
          informerOf(kind).onChange((change) => {
            for (const key of keys(change, view)) queue.add(key);
          }),
        );
      }
      for (const key of controller.atStart?.(view) ?? []) queue.add(key);
      queue.start();
    }
  });
  return {
    started,
    idle: async () => {
      await started;
      await Promise.all(running.map(({ queue }) => queue.idle()));
    },
    async stop() {
      stopped = true;
      for (const unsubscribe of unsubscribes) unsubscribe();
      await Promise.all(running.map(({ queue }) => queue.stop()));
      for (const informer of informers.values()) informer.stop();
    },
  };
}

interface Followers {
  readonly informers: Map<Kind, Informer<KubeObject>>;
  readonly client: Client;
  readonly log: Log;
}

function followKind(
  { kind, keys }: Trigger,
  { informers, client, log }: Followers,
  queue: WorkQueue,
  view: () => View,
): { ready: Promise<void>; stop: () => void } {
  const informer = startInformer(client, kind, { indexes: commonIndexes }, log);
  informers.set(kind, informer);
  const unsubscribe = informer.onChange((change) => {
    for (const key of keys(change, view())) queue.add(key);
  });
  let release = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    release = resolve;
  });
  return {
    ready: Promise.race([informer.synced, stopped]),
    stop: () => {
      unsubscribe();
      informer.stop();
      informers.delete(kind);
      release();
    },
  };
}

function startInformers(controllers: readonly Controller[], client: Client, log: Log): Map<Kind, Informer<KubeObject>> {
  const indexes = new Map<Kind, IndexDefinition['indexes']>();
  for (const controller of controllers) {
    for (const kind of [...controller.triggers.map((each) => each.kind), ...(controller.reads ?? [])]) {
      const stored = kind.storedAs ?? kind;
      if (!indexes.has(stored)) indexes.set(stored, { ...commonIndexes });
    }
  }
  for (const definition of controllers.flatMap((controller) => controller.indexes ?? [])) {
    const known = indexes.get(definition.kind);
    if (known) Object.assign(known, definition.indexes);
  }
  return new Map([...indexes].map(([kind, own]) => [kind, startInformer(client, kind, { indexes: own }, log)]));
}
