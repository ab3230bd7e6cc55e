/** Ingress of networking.k8s.io/v1beta1 and extensions/v1beta1: a backend is a name and a port in one struct (features 5-069, 5-070). */
import type { Ingress, KubeObject, Networking } from '../types.ts';
import type { Conversion } from './conversion.ts';

interface OldBackend {
  serviceName?: string;
  servicePort?: number | string;
  resource?: Networking.IngressBackend['resource'];
}

interface Path<Backend> {
  pathType?: string;
  backend?: Backend;
}

interface Http<Backend> {
  paths?: Path<Backend>[];
}

interface Spec<Backend> {
  rules?: { http?: Http<Backend> }[];
}
type OldIngress = KubeObject & { spec?: Spec<OldBackend> & { backend?: OldBackend } };

function toOldBackend({ service, ...rest }: Networking.IngressBackend): OldBackend {
  if (!service) return rest;
  const { name, number = 0 } = service.port ?? {};
  return { serviceName: service.name, servicePort: name || number, ...rest };
}

function fromOldBackend({ serviceName = '', servicePort = 0, ...rest }: OldBackend): Networking.IngressBackend {
  if (serviceName === '' && !servicePort) return rest;
  const port = typeof servicePort === 'string' ? { name: servicePort } : { number: servicePort };
  return { service: { name: serviceName, ...(servicePort && { port }) }, ...rest };
}

/** Every rule with its backends replaced. */
function mapRules<From, To>({ rules }: Spec<From>, map: (backend: From) => To): Spec<To> {
  if (!rules) return {};
  const mapPath = ({ backend, ...path }: Path<From>): Path<To> => ({
    ...path,
    ...(backend && { backend: map(backend) }),
  });
  const mapHttp = ({ paths, ...http }: Http<From>): Http<To> => ({
    ...http,
    ...(paths && { paths: paths.map(mapPath) }),
  });
  return { rules: rules.map(({ http, ...rule }) => ({ ...rule, ...(http && { http: mapHttp(http) }) })) };
}

export const ingressV1beta1: Conversion = {
  toVersion(stored) {
    const { spec } = stored as Ingress;
    if (!spec) return stored;
    const { defaultBackend, ...rest } = spec;
    const rules = mapRules(spec as Spec<Networking.IngressBackend>, toOldBackend);
    const backend = defaultBackend && { backend: toOldBackend(defaultBackend) };
    return { ...stored, spec: { ...rest, ...backend, ...rules } } as KubeObject;
  },
  fromVersion(object) {
    const { spec } = object as OldIngress;
    if (!spec) return object;
    const { backend, ...rest } = spec;
    const defaultBackend = backend && { defaultBackend: fromOldBackend(backend) };
    return { ...object, spec: { ...rest, ...defaultBackend, ...mapRules(spec, fromOldBackend) } } as KubeObject;
  },
  applyDefaults(object) {
    const paths = ((object as OldIngress).spec?.rules ?? []).flatMap((rule) => rule.http?.paths ?? []);
    for (const path of paths) path.pathType ??= 'ImplementationSpecific';
  },
  errorIn: ({ field, detail, ...error }) => ({
    ...error,
    field: field
      .replace(/^spec\.defaultBackend\b/, 'spec.backend')
      .replace(/\.service\.name$/, '.serviceName')
      .replace(/\.service(\.port(\.\w+)?)?$/, '.servicePort'),
    ...(detail !== undefined && { detail: detail.replace('`defaultBackend`', '`backend`') }),
  }),
};
