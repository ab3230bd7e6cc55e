/** Service behaviour: features.md section 1. Cluster IPs and node ports are allocated by the API server afterwards. */
import { defineStrategy } from '../define-strategy.ts';
import { defaultService } from '../defaults/service.ts';
import { SERVICES } from '../kinds.ts';
import { dns1123Label } from '../names.ts';
import { isHeadless, prepareServiceForCreate, prepareServiceForUpdate } from '../service-changes.ts';
import type { Service } from '../types.ts';
import { cidrWarnings, ipWarnings } from '../validation/ip.ts';
import {
  topologyHintsAnnotation,
  topologyModeAnnotation,
  validateService,
  validateServiceStatus,
  validateServiceUpdate,
} from '../validation/service.ts';

export const serviceStrategy = defineStrategy(SERVICES, {
  // Labels that begin with a digit are fine since 1.36 (1-011).
  nameRule: dns1123Label,
  applyDefaults: defaultService,
  initialStatus: () => ({ loadBalancer: {} }),
  prepareForCreate: prepareServiceForCreate,
  prepareForUpdate: prepareServiceForUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: validateServiceStatus,
  warnings,
  allowCreateOnUpdate: true,
});

/** Features 1-071, 1-076, 1-080, 1-084 to 1-086. */
function warnings(service: Service): string[] {
  const { spec, metadata } = service;
  const texts: string[] = [];
  if (metadata.annotations?.[topologyHintsAnnotation] !== undefined) {
    texts.push(`annotation ${topologyHintsAnnotation} is deprecated, please use ${topologyModeAnnotation} instead`);
  }
  const headless = isHeadless(service);
  if (headless) {
    const ignored = (field: string) => `spec.${field} is ignored for headless services`;
    if (spec.loadBalancerIP) texts.push(ignored('loadBalancerIP'));
    if ((spec.externalIPs ?? []).length > 0) texts.push(ignored('externalIPs'));
    if (spec.sessionAffinity !== 'None') texts.push(ignored('SessionAffinity'));
  }
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    texts.push(...ipWarnings(`spec.clusterIPs[${index}]`, address));
  }
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    texts.push(...ipWarnings(`spec.externalIPs[${index}]`, address));
  }
  const hasExternalIps = (spec.externalIPs ?? []).length > 0;
  if (hasExternalIps && !headless && spec.type !== 'ExternalName') {
    texts.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (spec.loadBalancerIP) texts.push(...ipWarnings('spec.loadBalancerIP', spec.loadBalancerIP));
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    texts.push(...cidrWarnings(`spec.loadBalancerSourceRanges[${index}]`, range));
  }
  if (hasExternalIps && spec.type === 'ExternalName') {
    texts.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (spec.externalName && spec.type !== 'ExternalName') {
    texts.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec.trafficDistribution === 'PreferClose') {
    texts.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return texts;
}
