/** APIServices: which groups and versions are served, and by whom. */
import { defineStrategy } from '../define-strategy.ts';
import { invalid, required, type FieldError } from '../field-error.ts';
import * as K from '../kinds.ts';
import { pathSegmentName } from '../names.ts';
import type { APIService } from '../types.ts';
import { mustExist } from '../validation/check.ts';

function validateApiService({ metadata, spec }: APIService): FieldError[] {
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0, service } = spec ?? {};
  const errors: FieldError[] = [];
  const name = `${version}.${group}`;
  if (metadata.name !== name) {
    errors.push(
      invalid('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`),
    );
  }
  if (version === '') errors.push(required('spec.version'));
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000) {
    errors.push(invalid('spec.groupPriorityMinimum', groupPriorityMinimum, 'must be positive and less than 20000'));
  }
  if (versionPriority <= 0 || versionPriority > 1000) {
    errors.push(invalid('spec.versionPriority', versionPriority, 'must be positive and less than 1000'));
  }
  if (!service) return errors;
  return [
    ...errors,
    ...mustExist('spec.service.namespace', service.namespace),
    ...mustExist('spec.service.name', service.name),
    ...(spec?.insecureSkipTLSVerify && spec.caBundle
      ? [invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present')]
      : []),
  ];
}

const local = (lastTransitionTime: string | undefined) => ({
  type: 'Available',
  status: 'True',
  ...(lastTransitionTime !== undefined && { lastTransitionTime }),
  reason: 'Local',
  message: 'Local APIServices are always available',
});

export const apiServiceStrategy = defineStrategy(K.API_SERVICES, {
  nameRule: pathSegmentName,
  applyDefaults({ spec }) {
    if (spec?.service) spec.service.port ??= 443;
  },
  // What is served elsewhere is for others to find out.
  initialStatus: ({ spec, metadata }) => (spec?.service ? {} : { conditions: [local(metadata.creationTimestamp)] }),
  validate: validateApiService,
});
