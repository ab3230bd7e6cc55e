/** CertificateSigningRequests: who asks is written down by the server; what is asked never changes. */
import { defineStrategy } from '../define-strategy.ts';
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import * as K from '../kinds.ts';
import { domainPrefixedPath } from '../names.ts';
import type { CertificateSigningRequest } from '../types.ts';
import { mustFollow, oneOf } from '../validation/check.ts';

const MIN_SECONDS = 600;
const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const decisions = ['Approved', 'Denied'];

function validateRequest({ spec: given }: CertificateSigningRequest): FieldError[] {
  const spec = given as Partial<typeof given> | undefined;
  const { request = '', expirationSeconds } = spec ?? {};
  const errors: FieldError[] = [];
  const pem = Buffer.from(request, 'base64').toString('latin1');
  if (!/^\s*-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----\s*$/.test(pem)) {
    errors.push(invalid('spec.request', request.slice(0, 100), 'PEM block type must be CERTIFICATE REQUEST'));
  }
  if ((spec?.usages ?? []).length === 0) errors.push(required('spec.usages', 'usages are required'));
  if (expirationSeconds !== undefined && expirationSeconds < MIN_SECONDS) {
    errors.push(
      invalid(
        'spec.expirationSeconds',
        expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  }
  return [
    ...errors,
    ...mustFollow(domainPrefixedPath, 'spec.signerName', spec?.signerName),
    ...(spec?.usages ?? []).flatMap((usage, index) => oneOf(`spec.usages[${index}]`, usage, usages)),
  ];
}

/** Of what kind they are, and that yes and no are not both said. */
export function validateConditions({ status }: CertificateSigningRequest): FieldError[] {
  const conditions = status?.conditions ?? [];
  const errors = conditions.flatMap(({ type, status: value }, index) => {
    const path = `status.conditions[${index}]`;
    if (!type) return [required(`${path}.type`)];
    const decided = decisions.includes(type) || type === 'Failed';
    return decided && value !== 'True' ? [...oneOf(`${path}.status`, value, ['True'])] : [];
  });
  if (decisions.every((decision) => conditions.some(({ type }) => type === decision))) {
    errors.push(invalid('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive'));
  }
  return errors;
}

/** The decisions among the conditions: they are made by `/approval` and by nothing else. */
export const isDecision = ({ type }: { type?: string }): boolean => decisions.includes(type ?? '');

function changedDecisions(request: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const typesOf = ({ status }: CertificateSigningRequest) =>
    (status?.conditions ?? []).filter(isDecision).map(({ type }) => type);
  const [now, before] = [typesOf(request), typesOf(old)];
  const refuse = (verb: string, type: string): FieldError =>
    forbidden('status.conditions', `updates may not ${verb} a condition of type ${JSON.stringify(type)}`);
  return [
    ...now.filter((type) => !before.includes(type)).map((type) => refuse('add', type)),
    ...before.filter((type) => !now.includes(type)).map((type) => refuse('remove', type)),
  ];
}

export const certificateSigningRequestStrategy = defineStrategy(K.CERTIFICATE_SIGNING_REQUESTS, {
  initialStatus: () => ({}),
  applyDefaults({ status }) {
    for (const condition of status?.conditions ?? []) condition.status ||= 'True';
  },
  prepareForUpdate(request, old) {
    request.spec = structuredClone(old.spec);
  },
  validate: validateRequest,
  validateUpdate: () => [],
  validateStatusUpdate: (request, old) => [...validateConditions(request), ...changedDecisions(request, old)],
});
