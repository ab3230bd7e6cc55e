/** Subresources whose object is not the one that is stored: webhooks see a Scale, a Binding, an Eviction, what an exec asks for. */
import type { KindName } from '../../api/decode.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Core } from '../core.ts';
import type { Attributes } from './attributes.ts';
import { runMutatingWebhooks } from './webhooks/mutate.ts';
import { runValidatingWebhooks } from './webhooks/validate.ts';

/** How an update is shown, and how what is made of it is taken over. */
export interface Face {
  readonly subresource: string;
  /** Absent: the object's own kind. */
  readonly kind?: KindName;
  of(object: KubeObject): KubeObject;
  onto(object: KubeObject, shown: KubeObject): KubeObject;
}

/** The object itself, under the name of the subresource. */
export const ownFace = (subresource: string): Face => ({
  subresource,
  of: (object) => object,
  onto: (_object, shown) => shown,
});

type WithObject = Attributes & { readonly object: KubeObject };

/** The object as webhooks leave it. Throws ApiError. */
export async function admitSubresource(core: Core, attributes: WithObject): Promise<KubeObject> {
  const object = (await runMutatingWebhooks(core, attributes)) ?? attributes.object;
  await runValidatingWebhooks(core, { ...attributes, object });
  return object;
}

/** The changed object; `attributes` are those of the object itself. Throws ApiError. */
export async function admitFace(core: Core, face: Face, attributes: WithObject & { old: KubeObject }) {
  const { object, old } = attributes;
  const shown = {
    ...attributes,
    subresource: face.subresource,
    ...(face.kind && { face: face.kind }),
    object: face.of(object),
    old: face.of(old),
  };
  return face.onto(object, await admitSubresource(core, shown));
}

/** Who connects to a Pod, a Service or a node, and how. Throws ApiError. */
export async function admitConnection(
  core: Core,
  attributes: Pick<Attributes, 'kind' | 'namespace' | 'name' | 'context'> & { subresource: string },
  query: URLSearchParams,
): Promise<void> {
  const { kind, subresource } = attributes;
  const face = { group: '', version: 'v1', kind: connectKinds[subresource] ?? `${kind.kind}ProxyOptions` };
  const object = { kind: face.kind, apiVersion: 'v1', ...optionsOf(query) } as unknown as KubeObject;
  await admitSubresource(core, { ...attributes, operation: 'CONNECT', face, object });
}

const connectKinds: Record<string, string> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
};

/** As they stand in the query, in the types of the fields. */
function optionsOf(query: URLSearchParams): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const name of ['stdin', 'stdout', 'stderr', 'tty']) {
    if (['true', '1'].includes(query.get(name) ?? '')) options[name] = true;
  }
  const container = query.get('container');
  if (container) options['container'] = container;
  if (query.has('command')) options['command'] = query.getAll('command');
  if (query.has('ports')) options['ports'] = query.getAll('ports').flatMap((each) => each.split(',').map(Number));
  return options;
}
