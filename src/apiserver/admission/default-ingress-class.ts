/** Gives an Ingress that names no class the default one. */
import { INGRESS_CLASSES, INGRESSES } from '../../api/kinds.ts';
import type { Ingress, IngressClass } from '../../api/types.ts';
import { ingressClassAnnotation } from '../../api/validation/networking.ts';
import type { Core } from '../core.ts';
import { prefixOf } from '../keys.ts';
import type { Attributes } from './attributes.ts';

const IS_DEFAULT = 'ingressclass.kubernetes.io/is-default-class';

/** Changes a new Ingress in place. */
export function admitIngressClass(core: Core, { operation, kind, object }: Attributes): void {
  if (operation !== 'CREATE' || kind !== INGRESSES || !object) return;
  const ingress = object as Ingress;
  const annotated = ingress.metadata.annotations?.[ingressClassAnnotation] !== undefined;
  if (annotated || ingress.spec?.ingressClassName !== undefined) return;
  const [chosen] = core.cache
    .of(INGRESS_CLASSES)
    .range(prefixOf(INGRESS_CLASSES))
    .map((entry) => entry.object as IngressClass)
    .filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === 'true')
    .sort(newestFirst);
  if (chosen) ingress.spec = { ...ingress.spec, ingressClassName: chosen.metadata.name };
}

/** Of several defaults the newest counts, then the first by name. */
function newestFirst({ metadata: a }: IngressClass, { metadata: b }: IngressClass): number {
  const later = Date.parse(b.creationTimestamp ?? '') - Date.parse(a.creationTimestamp ?? '');
  return later !== 0 ? later : a.name < b.name ? -1 : 1;
}
