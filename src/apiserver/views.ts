/** Kinds that are another face of what is stored: events.k8s.io/v1 Events are core Events (feature 8-105). */
import { EVENTS_V1, type Kind } from '../api/kinds.ts';
import type { Event, KubeObject } from '../api/types.ts';

interface EventV1 extends KubeObject {
  eventTime?: unknown;
  series?: unknown;
  reportingController?: string;
  reportingInstance?: string;
  action?: string;
  reason?: string;
  regarding?: unknown;
  related?: unknown;
  note?: string;
  type?: string;
  deprecatedSource?: unknown;
  deprecatedFirstTimestamp?: string;
  deprecatedLastTimestamp?: string;
  deprecatedCount?: number;
}

/** [events.k8s.io/v1, core v1]; every other field has one name in both. */
const names: readonly (readonly [keyof EventV1, keyof Event])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function renamed(object: KubeObject, pairs: Iterable<readonly [string, string]>, apiVersion: string): KubeObject {
  const to = new Map(pairs);
  const fields = Object.entries(object).map(([field, value]): [string, unknown] => [to.get(field) ?? field, value]);
  return { ...Object.fromEntries(fields), kind: 'Event', apiVersion } as KubeObject;
}

export function isView(kind: Kind): boolean {
  return kind.storedAs !== undefined;
}

/** The stored object as the asked kind. Shares what it does not change. */
export function toView(kind: Kind, stored: KubeObject): KubeObject {
  if (kind !== EVENTS_V1) return stored;
  return renamed(
    stored,
    names.map(([view, core]) => [core, view]),
    'events.k8s.io/v1',
  );
}

/** What a client wrote in the asked kind as what is stored. */
export function fromView(kind: Kind, object: KubeObject): KubeObject {
  return kind === EVENTS_V1 ? renamed(object, names, 'v1') : object;
}
