/** Endpoints, EndpointSlices, Ingresses, classes, policies, ranges and addresses. */
import { defineStrategy } from '../define-strategy.ts';
import * as K from '../kinds.ts';
import type { Discovery, Endpoints, EndpointSlice, Ingress, KubeObject, Networking } from '../types.ts';
import * as endpoints from '../validation/endpoints.ts';
import * as networking from '../validation/networking.ts';

export const endpointsStrategy = defineStrategy<Endpoints>(K.ENDPOINTS, {
  applyDefaults(object) {
    for (const port of (object.subsets ?? []).flatMap((subset) => subset.ports ?? [])) port.protocol ||= 'TCP';
  },
  validate: endpoints.validateEndpoints,
  validateUpdate: endpoints.validateEndpoints,
  warnings: endpoints.endpointsWarnings,
  allowCreateOnUpdate: true,
});

export const endpointSliceStrategy = defineStrategy(K.ENDPOINT_SLICES, {
  applyDefaults(slice) {
    for (const port of slice.ports ?? []) {
      port.name ??= '';
      port.protocol ||= 'TCP';
    }
    slice.endpoints = (slice.endpoints as Discovery.Endpoint[] | undefined) ?? [];
  },
  keepsGeneration: true,
  labelsBumpGeneration: true,
  validate: endpoints.validateEndpointSlice,
  validateUpdate: endpoints.validateEndpointSliceUpdate,
  warnings: (slice: EndpointSlice, old?: EndpointSlice) =>
    slice.addressType === 'FQDN' && !old ? ['addressType: FQDN endpoints are deprecated'] : [],
});

export const ingressStrategy = defineStrategy(K.INGRESSES, {
  keepsGeneration: true,
  initialStatus: () => ({ loadBalancer: {} }),
  validate: networking.validateIngressCreate,
  validateUpdate: networking.validateIngress,
  validateStatusUpdate: networking.validateIngressStatus,
  warnings: (ingress: Ingress, old?: Ingress) => {
    const annotated = ingress.metadata.annotations?.[networking.ingressClassAnnotation] !== undefined;
    return annotated && !old && ingress.spec?.ingressClassName === undefined
      ? [
          `annotation ${JSON.stringify(networking.ingressClassAnnotation)} is deprecated, please use 'spec.ingressClassName' instead`,
        ]
      : [];
  },
});

export const ingressClassStrategy = defineStrategy(K.INGRESS_CLASSES, {
  applyDefaults({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
  },
  keepsGeneration: true,
  validate: networking.validateIngressClass,
  validateUpdate: networking.validateIngressClassUpdate,
});

type Policy = KubeObject & { spec?: Networking.NetworkPolicySpec };

export const networkPolicyStrategy = defineStrategy(K.NETWORK_POLICIES as K.Kind<Policy>, {
  applyDefaults({ spec }) {
    if (!spec) return;
    const rules = [...(spec.ingress ?? []), ...(spec.egress ?? [])];
    for (const port of rules.flatMap((rule) => rule.ports ?? [])) port.protocol ||= 'TCP';
    if ((spec.policyTypes ?? []).length === 0) {
      spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    }
  },
  keepsGeneration: true,
});

export const serviceCidrStrategy = defineStrategy(K.SERVICE_CIDRS, {
  keepsGeneration: true,
  validate: networking.validateServiceCidr,
  validateUpdate: networking.validateServiceCidrUpdate,
});

export const ipAddressStrategy = defineStrategy(K.IP_ADDRESSES, {
  nameRule: networking.ipAddressName,
  keepsGeneration: true,
  validate: networking.validateIpAddress,
  validateUpdate: networking.validateIpAddressUpdate,
});
