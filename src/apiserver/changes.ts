/** What a PUT or a PATCH asks for, as the change of an object that `updateObject` carries out (features 8-064, 8-067 to 8-070). */
import { badRequest, notFound } from '../api/api-error.ts';
import { decodeObject } from '../api/decode.ts';
import { parseJsonWithDuplicates, type ParsedBody } from '../api/json.ts';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/types.ts';
import { fromVersion, toVersion } from '../api/versions/convert.ts';
import { parseYaml } from '../api/yaml.ts';
import { isForced, parseConfig } from './apply-body.ts';
import { decodeChecked, fieldValidationOf, parseBody } from './body.ts';
import { storedKind } from './keys.ts';
import { patchTypeOf } from './media-types.ts';
import { applyObject } from './ownership.ts';
import { patchObject } from './patch.ts';
import type { ApiRequest } from './request.ts';
import type { Call } from './resources.ts';
import type { Change } from './update.ts';

export type Wanted = Omit<Change, 'through'>;

export function putChange({ kind, info, request, context }: Call, name: string): Wanted {
  const decoded = decodeChecked(
    kind,
    parseBody(request),
    fieldValidationOf(request.query, 'UpdateOptions'),
    context.warnings,
  );
  checkIdentity(decoded, name, kind.namespaced ? info.namespace : undefined);
  const wanted = JSON.stringify(decoded);
  // A fresh one for each try: what one try fills in must not reach the next.
  return { apply: (current) => fromVersion(JSON.parse(wanted) as KubeObject, kind, current) };
}

/** Absent identity is that of the URL; another one is refused. */
export function checkIdentity({ metadata }: KubeObject, name: string, namespace: string | undefined): void {
  if (!metadata.name) metadata.name = name;
  if (metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  if (namespace === undefined) return;
  metadata.namespace ||= namespace;
  if (metadata.namespace !== namespace) {
    throw badRequest(
      `the namespace of the object (${metadata.namespace}) does not match the namespace on the URL (${namespace})`,
    );
  }
}

export function parsePatchBody(request: ApiRequest): ParsedBody {
  const text = new TextDecoder().decode(request.body);
  // kubectl may send a merge patch as YAML text under the JSON type; YAML is only tried when it cannot be JSON.
  return /^\s*[[{"]/.test(text) ? parseJsonWithDuplicates(text) : parseYaml(text);
}

/** Throws ApiError 415 for a patch of another type. */
export function patchChange(call: Call, name: string): Wanted {
  const { kind, request, context } = call;
  const type = patchTypeOf(request.headers['content-type'], kind);
  if (type === 'apply') return applyChange(call, name);
  const validation = fieldValidationOf(request.query, 'PatchOptions');
  const body = parsePatchBody(request);
  return {
    apply(current) {
      if (!current) throw notFound(kind, name);
      const base = toVersion(current, kind);
      return fromVersion(patchObject(kind, base, { type, ...body, validation }, context.warnings), kind, current);
    },
  };
}

function applyChange({ core, kind, info, request, context }: Call, name: string): Wanted {
  const config = parseConfig(kind, request, context.warnings);
  const stored = storedKind(kind);
  const asked = {
    config: asStored(config, kind),
    force: isForced(request),
    decode: (merged: Record<string, unknown>) => decodeObject(stored, merged).object,
  };
  return {
    owned: true,
    apply(current) {
      const object = applyObject(core, stored, current, asked, context);
      checkIdentity(object, name, kind.namespaced ? info.namespace : undefined);
      return object;
    },
  };
}

/** What is applied in another version than the stored one is applied in the stored one, as are the names of the fields it then owns. */
function asStored(config: Record<string, unknown>, kind: Kind): Record<string, unknown> {
  const stored = storedKind(kind);
  if (stored === kind) return config;
  return { ...fromVersion(config as unknown as KubeObject, kind), apiVersion: apiVersionOf(stored), kind: stored.kind };
}
