/** Services, Endpoints, EndpointSlices, Ingresses and their kin (features 8-027, 8-028, 2-033, 2-044, 5-015, 5-021, 1-119). */
import { joinHostPort } from '../../lib/ip.ts';
import { formatLabelSelector } from '../selectors.ts';
import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  IPAddress,
  Meta,
  KubeObject,
  Networking,
  Service,
  ServiceCIDR,
} from '../types.ts';
import { age, clipList, clipText, labelsCell, orNone } from './cells.ts';
import { definePrinter } from './printer.ts';

export const servicePrinter = definePrinter<Service>([
  ['Type', 'string', ({ spec }) => spec.type ?? ''],
  ['Cluster-IP', 'string', ({ spec }) => orNone(spec.clusterIPs?.[0] ?? spec.clusterIP)],
  ['External-IP', 'string', externalIp],
  ['Port(s)', 'string', ports],
  ['Age', 'string', age],
  ['Selector*', 'string', ({ spec }) => labelsCell(spec.selector)],
]);

function externalIp({ spec, status }: Service): string {
  const external = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'ExternalName':
      return spec.externalName ?? '';
    case 'LoadBalancer': {
      const given = ingressAddresses(status?.loadBalancer?.ingress);
      if (external.length > 0) return [...(given ? [given] : []), ...external].join(',');
      return given || '<pending>';
    }
    default:
      return orNone(external.join(','));
  }
}

function ingressAddresses(ingress: readonly { ip?: string; hostname?: string }[] | undefined): string {
  const addresses = (ingress ?? []).map((each) => each.ip || each.hostname || '').filter((text) => text !== '');
  return clipText([...new Set(addresses)].sort().join(','));
}

function ports({ spec }: Service): string {
  const texts = (spec.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol ?? ''}` : `${port}/${protocol ?? ''}`,
  );
  return orNone(texts.join(','));
}

export const endpointsPrinter = definePrinter<Endpoints>([
  ['Endpoints', 'string', endpointsCell],
  ['Age', 'string', age],
]);

/** Ready addresses only, each with each port. */
function endpointsCell({ subsets }: Endpoints): string {
  const all = (subsets ?? []).flatMap(({ addresses, ports: numbers }) =>
    (numbers ?? []).length === 0
      ? (addresses ?? []).map(({ ip }) => ip)
      : (numbers ?? []).flatMap(({ port }) => (addresses ?? []).map(({ ip }) => joinHostPort(ip, port))),
  );
  return orNone(clipList(all, 3));
}

export const endpointSlicePrinter = definePrinter<EndpointSlice>([
  ['AddressType', 'string', ({ addressType }) => addressType],
  [
    'Ports',
    'string',
    ({ ports: all }) =>
      (all ?? []).length === 0
        ? '<unset>'
        : clipList(
            (all ?? []).map(({ port, name }) => String(port ?? (name || '*'))),
            3,
          ),
  ],
  [
    'Endpoints',
    'string',
    ({ endpoints }) =>
      clipList(
        ((endpoints as EndpointSlice['endpoints'] | undefined) ?? []).flatMap((each) => each.addresses),
        3,
      ) || '<unset>',
  ],
  ['Age', 'string', age],
]);

export const ingressPrinter = definePrinter<Ingress>([
  ['Class', 'string', ({ spec }) => orNone(spec?.ingressClassName)],
  ['Hosts', 'string', ({ spec }) => hosts(spec?.rules)],
  ['Address', 'string', ({ status }) => ingressAddresses(status?.loadBalancer?.ingress)],
  ['Ports', 'string', ({ spec }) => ((spec?.tls ?? []).length > 0 ? '80, 443' : '80')],
  ['Age', 'string', age],
]);

function hosts(rules: readonly Networking.IngressRule[] | undefined): string {
  const names = (rules ?? []).map((rule) => rule.host ?? '').filter((host) => host !== '');
  return names.length === 0 ? '*' : clipList(names, 3);
}

const defaultClassAnnotation = 'ingressclass.kubernetes.io/is-default-class';

/** The name itself says which class is the default one, so this table makes its own first column. */
export const ingressClassPrinter = definePrinter<IngressClass>(
  [
    [
      'Name',
      'string',
      ({ metadata }) =>
        metadata.annotations?.[defaultClassAnnotation] === 'true' ? `${metadata.name} (default)` : metadata.name,
    ],
    ['Controller', 'string', ({ spec }) => spec?.controller ?? ''],
    [
      'Parameters',
      'string',
      ({ spec }) => {
        const parameters = spec?.parameters;
        if (!parameters) return '<none>';
        const group = parameters.apiGroup ? `.${parameters.apiGroup}` : '';
        return `${parameters.kind}${group}/${parameters.name}`;
      },
    ],
    ['Age', 'string', age],
  ],
  false,
);

export const serviceCidrPrinter = definePrinter<KubeObject & { spec?: ServiceCIDR['spec'] }>([
  ['CIDRs', 'string', ({ spec }) => (spec?.cidrs ?? []).join(',')],
  ['Age', 'string', age],
]);

export const ipAddressPrinter = definePrinter<KubeObject & { spec?: Partial<IPAddress['spec']> }>([
  [
    'ParentRef',
    'string',
    ({ spec }) => {
      const { group, resource, namespace, name } = spec?.parentRef ?? {};
      return [group, resource, namespace, name].filter((part) => part).join('/');
    },
  ],
]);

export const networkPolicyPrinter = definePrinter<KubeObject & { spec?: { podSelector?: Meta.LabelSelector } }>([
  ['Pod-Selector', 'string', ({ spec }) => orNone(formatLabelSelector(spec?.podSelector))],
  ['Age', 'string', age],
]);
