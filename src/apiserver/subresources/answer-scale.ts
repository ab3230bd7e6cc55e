/** The scale subresource of a request: read, set, patched or applied, and written into the object it scales (features 8-084, 8-085). */
import { notFound } from '../../api/api-error.ts';
import { decodeObject } from '../../api/decode.ts';
import { storedKind, type Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Face } from '../admission/face.ts';
import { isForced, parseConfig } from '../apply-body.ts';
import { decodeChecked, fieldValidationOf, parseBody } from '../body.ts';
import type { Core, WriteContext } from '../core.ts';
import { patchTypeOf } from '../media-types.ts';
import { applyObject } from '../ownership.ts';
import { patchObject } from '../patch.ts';
import { readObject } from '../read.ts';
import { checkIdentity, parsePatchBody } from '../changes.ts';
import { methodNotAllowed, type Call } from '../resources.ts';
import type { Answer } from '../respond.ts';
import { updateObject, type Change } from '../update.ts';
import { applyScale, SCALE, scaleConfig, scaleOf, type Scale } from './scale.ts';

/** GET, PUT and the four patches. Throws ApiError. */
export async function answerScale(call: Call, name: string): Promise<Answer> {
  const { info, core, kind, request, context } = call;
  if (info.verb === 'get' || info.verb === 'head') {
    const entry = await readObject(core, kind, info.namespace, name);
    return { type: 'value', status: 200, value: scaleOf(kind, entry.object) };
  }
  let wanted: (current: Scale) => Scale;
  if (info.verb === 'update') {
    const validation = fieldValidationOf(request.query, 'UpdateOptions');
    const scale: Scale = decodeChecked(SCALE, parseBody(request), validation, context.warnings);
    wanted = () => scale;
  } else if (info.verb === 'patch') {
    const type = patchTypeOf(request.headers['content-type']);
    if (type === 'apply') return await answerAppliedScale(call, name);
    const body = parsePatchBody(request);
    const validation = fieldValidationOf(request.query, 'PatchOptions');
    wanted = (current) => patchObject<Scale>(SCALE, current, { type, ...body, validation }, context.warnings);
  } else throw methodNotAllowed();
  return { type: 'value', status: 200, value: await scaleObject(core, kind, info.namespace, name, wanted, context) };
}

async function answerAppliedScale({ core, kind: asked, info, request, context }: Call, name: string): Promise<Answer> {
  const kind = storedKind(asked);
  const given = decodeObject<Scale>(SCALE, parseConfig(SCALE, request, context.warnings)).object;
  checkIdentity(given, name, info.namespace);
  const application = {
    config: scaleConfig(kind, given),
    force: isForced(request),
    decode: (merged: Record<string, unknown>) => decodeObject(kind, merged).object,
  };
  const apply = (current: KubeObject | undefined): KubeObject => {
    if (!current) throw notFound(kind, name);
    return applyObject(core, kind, current, application, context);
  };
  const change: Change = { through: 'main', face: scaleFace(kind), owned: true, apply };
  const { entry } = await updateObject(core, kind, info.namespace, name, change, context);
  return { type: 'value', status: 200, value: scaleOf(kind, entry.object) };
}

export async function scaleObject(
  core: Core,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  wanted: (current: Scale) => Scale,
  context: WriteContext,
): Promise<Scale> {
  const apply = (current: KubeObject | undefined): KubeObject => {
    const object = current as KubeObject;
    return applyScale(kind, object, wanted(scaleOf(kind, object)));
  };
  const change: Change = { through: 'main', face: scaleFace(kind), apply };
  const { entry } = await updateObject(core, storedKind(kind), namespace, name, change, context);
  return scaleOf(kind, entry.object);
}

const scaleFace = (kind: Kind): Face => ({
  subresource: 'scale',
  kind: SCALE,
  of: (object) => scaleOf(kind, object),
  onto: (object, shown) => applyScale(kind, object, shown),
});
