/** What every verb works with: the store, the state in memory, the clock, and who shares out cluster IPs and node ports. */
import { randomInt, randomUUID } from 'node:crypto';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Operation, Store } from '../store/store.ts';
import type { WriteGuard } from './authorization/write-guard.ts';
import type { User } from './request.ts';
import type { ServedKinds } from './served-kinds.ts';
import type { WatchCache } from './watch-cache.ts';

/** What else must happen in the same commit as a write, and what to do in memory once it is known how it went. */
export interface SideEffects {
  readonly operations: readonly Operation[];
  /** Called exactly once, after the commit was tried: with its revision, or undefined when it did not happen. */
  settle(revision?: number): void;
}

export const noSideEffects: SideEffects = { operations: [], settle: () => undefined };

/** Adds to writes of certain kinds (cluster IPs and node ports of Services). Throws ApiError to refuse. */
export interface WriteHooks {
  onCreate(kind: Kind, object: KubeObject, dryRun: boolean): SideEffects;
  onUpdate(kind: Kind, object: KubeObject, old: KubeObject, dryRun: boolean): SideEffects;
  onDelete(kind: Kind, old: KubeObject): SideEffects;
}

/** Everything else of admission is always on. */
export const ADMISSION_PLUGINS = ['DenyServiceExternalIPs'] as const;
export type AdmissionPlugin = (typeof ADMISSION_PLUGINS)[number];

export interface Core {
  readonly store: Store;
  readonly cache: WatchCache;
  readonly kinds: ServedKinds;
  readonly clock: Clock;
  readonly log: Log;
  readonly hooks: WriteHooks;
  readonly guard: WriteGuard;
  /** Those that are off by default and were asked for. */
  readonly admissionPlugins: ReadonlySet<AdmissionPlugin>;
  /** An integer in [0, below). */
  random(below: number): number;
  newUid(): string;
}

/** How one write was asked for. */
export interface WriteContext {
  /** The version it was asked for in, where that is not the stored one: errors are told in its words. */
  readonly version?: Kind | undefined;
  readonly user: User;
  readonly dryRun: boolean;
  /** Texts for the Warning header, filled on the way. */
  readonly warnings: string[];
  /** A write of the server itself, which the cluster cannot be without: no quota and no webhook is asked. */
  readonly isInternal?: boolean;
  /** Under which name the writer owns what it writes: `fieldManager`, else the first part of the User-Agent. */
  readonly manager?: string;
  /** The subresource written through; absent for the object itself. */
  readonly subresource?: string;
}

export const realRandom = { random: (below: number): number => randomInt(below), newUid: (): string => randomUUID() };

/** How often a write that lost a race is tried again (feature 8-075). */
export const MAX_TRIES = 8;
