/** The query of a list or watch, read and checked once (features 8-045, 8-051, 8-055, 8-057, 8-058). */
import { badRequest, invalidObject } from '../api/api-error.ts';
import { forbidden, notSupported, type FieldError } from '../api/field-error.ts';
import type { Kind } from '../api/kinds.ts';
import { supportedFields } from '../api/selectable-fields.ts';
import { parseFieldSelector, parseLabelSelector, type FieldSelector, type LabelSelector } from '../api/selectors.ts';
import { strategyFor } from '../api/strategies.ts';
import type { KubeObject } from '../api/types.ts';
import { isTrue } from './query.ts';

export interface ListOptions {
  readonly namespace: string | undefined;
  /** On objects as stored, whatever view of them is asked for. Undefined: everything in the namespace. */
  readonly matches: ((object: KubeObject) => boolean) | undefined;
  /** Undefined: the newest state. */
  readonly resourceVersion: number | undefined;
  readonly match: 'Exact' | 'NotOlderThan' | undefined;
  /** 0: no limit. */
  readonly limit: number;
  readonly continue: string;
  readonly bookmarks: boolean;
  /** Undefined: as the resourceVersion says. */
  readonly sendInitialEvents: boolean | undefined;
  /** Seconds; 0: the server's choice. */
  readonly timeoutSeconds: number;
}

/** `name`: of the item a watch on an item's own path is for (feature 8-054). Throws ApiError 400 or 422. */
export function parseListOptions(
  kind: Kind,
  namespace: string | undefined,
  query: URLSearchParams,
  { watch = false, name }: { watch?: boolean; name?: string | undefined } = {},
): ListOptions {
  const version = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  const token = query.get('continue') ?? '';
  const initial = query.get('sendInitialEvents');
  const errors = [...(watch ? checkWatch(match, initial, token) : checkList(version, match, token, initial))];
  if (errors.length > 0) throw invalidObject(listOptionsKind, '', errors);
  const fields = query.get('fieldSelector') ?? '';
  return {
    namespace,
    matches: matcher(
      kind,
      parseLabelSelector(query.get('labelSelector') ?? ''),
      parseFieldSelector(
        name === undefined ? fields : `metadata.name=${name}${fields && ','}${fields}`,
        supportedFields(kind),
      ),
    ),
    resourceVersion: version === '' ? undefined : wholeNumber('resourceVersion', version),
    match: match === '' ? undefined : (match as 'Exact' | 'NotOlderThan'),
    limit: wholeNumber('limit', query.get('limit') ?? '0'),
    continue: token,
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
    timeoutSeconds: wholeNumber('timeoutSeconds', query.get('timeoutSeconds') ?? '0'),
  };
}

/** Only for the words of the error: `ListOptions.meta.k8s.io "" is invalid: …`. */
const listOptionsKind: Kind = {
  group: 'meta.k8s.io',
  version: 'v1',
  kind: 'ListOptions',
  plural: 'listoptions',
  singular: 'listoptions',
  shortNames: [],
  namespaced: false,
  categories: [],
  subresources: [],
};

const FIELD = 'resourceVersionMatch';
const MATCHES = ['Exact', 'NotOlderThan', ''];

function checkList(version: string, match: string, token: string, initial: string | null): FieldError[] {
  const errors: FieldError[] = [];
  if (initial !== null) errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  if (match === '') return errors;
  if (token !== '') errors.push(forbidden(FIELD, 'resourceVersionMatch is forbidden when continue is provided'));
  if (version === '') {
    errors.push(forbidden(FIELD, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
  }
  if (match === 'Exact' && version === '0') {
    errors.push(forbidden(FIELD, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (!MATCHES.includes(match)) errors.push(notSupported(FIELD, match, MATCHES));
  return errors;
}

function checkWatch(match: string, initial: string | null, token: string): FieldError[] {
  const errors: FieldError[] = [];
  if (initial !== null && match !== 'NotOlderThan') {
    errors.push(forbidden(FIELD, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (match === '') return errors;
  if (initial === null) {
    errors.push(forbidden(FIELD, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  }
  if (match !== 'NotOlderThan') errors.push(notSupported(FIELD, match, ['NotOlderThan']));
  if (token !== '') errors.push(forbidden(FIELD, 'resourceVersionMatch is forbidden when continue is provided'));
  return errors;
}

/** Throws BadRequest. */
export function wholeNumber(name: string, text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) {
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be a whole number`);
  }
  return value;
}

function matcher(
  kind: Kind,
  labels: LabelSelector,
  fields: FieldSelector,
): ((object: KubeObject) => boolean) | undefined {
  const byLabels = labels.requirements.length > 0;
  const byFields = fields.requirements.length > 0;
  if (!byLabels && !byFields) return undefined;
  // Most field selectors name the object, which needs no look inside.
  const byName =
    fields.requirements.length === 1 &&
    fields.requirements[0]?.field === 'metadata.name' &&
    fields.requirements[0].operator === '='
      ? fields.requirements[0].value
      : undefined;
  const strategy = strategyFor(kind);
  return (object) =>
    (!byLabels || labels.matches(object.metadata.labels)) &&
    (!byFields ||
      (byName !== undefined ? object.metadata.name === byName : fields.matches(strategy.selectableFields(object))));
}
