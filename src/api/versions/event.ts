/** events.k8s.io Events: the core Event with other names for some of its fields (feature 8-105). */
import type { KubeObject } from '../types.ts';
import type { Conversion } from './conversion.ts';

/** [events.k8s.io, core]; every other field has one name in both. */
const names: readonly (readonly [string, string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];
const toCore = new Map(names);
const fromCore = new Map(names.map(([event, core]) => [core, event]));

function renamed(object: KubeObject, to: ReadonlyMap<string, string>): KubeObject {
  const fields = Object.entries(object).map(([field, value]): [string, unknown] => [to.get(field) ?? field, value]);
  return Object.fromEntries(fields) as unknown as KubeObject;
}

/** A count that core leaves out is always written in events.k8s.io. */
function withSeries(object: KubeObject, map: (series: Series) => Series): KubeObject {
  const { series } = object as { series?: Series };
  return series ? ({ ...object, series: map(series) } as KubeObject) : object;
}

interface Series {
  count?: number;
}

export const eventConversion: Conversion = {
  toVersion: (stored) => withSeries(renamed(stored, fromCore), (series) => ({ count: 0, ...series })),
  fromVersion: (object, old) =>
    withSeries(renamed(object, toCore), ({ count, ...series }) => {
      const wasWritten = (old as { series?: Series } | undefined)?.series?.count !== undefined;
      return count || wasWritten ? { count: count ?? 0, ...series } : series;
    }),
  errorIn: (error) => ({ ...error, field: error.field.replace(/^\w+/, (field) => fromCore.get(field) ?? field) }),
};
