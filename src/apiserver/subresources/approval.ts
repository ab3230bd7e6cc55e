/** certificatesigningrequests/approval: says yes or no to a request, once. Signing is somebody else's. */
import { invalidObject } from '../../api/api-error.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../api/kinds.ts';
import { isDecision, validateConditions } from '../../api/strategies/certificates.ts';
import type { Certificates, CertificateSigningRequest } from '../../api/types.ts';
import { timestamp } from '../../lib/clock.ts';

type Condition = Certificates.CertificateSigningRequestCondition;

const conditionsOf = (request: CertificateSigningRequest): readonly Condition[] => request.status?.conditions ?? [];

/**
 * The request with the decisions of `wanted` and everything else as it was.
 * @param now milliseconds
 * @throws ApiError 422
 */
export function applyApproval(
  request: CertificateSigningRequest,
  wanted: CertificateSigningRequest,
  now: number,
): CertificateSigningRequest {
  const before = conditionsOf(request);
  const decisions = conditionsOf(wanted)
    .filter(isDecision)
    .map((condition) => ({ lastUpdateTime: timestamp(now), lastTransitionTime: timestamp(now), ...condition }));
  const kept = before.filter((condition) => !isDecision(condition));
  const taken = before.filter((old) => isDecision(old) && !decisions.some(({ type }) => type === old.type));
  const { resourceVersion } = wanted.metadata;
  const decided: CertificateSigningRequest = {
    ...request,
    metadata: { ...request.metadata, ...(resourceVersion !== undefined && { resourceVersion }) },
    status: { ...request.status, conditions: [...decisions, ...kept] },
  };
  const errors = [
    ...taken.map(({ type }) => ({
      type: 'Forbidden' as const,
      field: 'status.conditions',
      detail: `updates may not remove a condition of type ${JSON.stringify(type)}`,
    })),
    ...validateConditions(decided),
  ];
  if (errors.length > 0) throw invalidObject(CERTIFICATE_SIGNING_REQUESTS, request.metadata.name, errors);
  return decided;
}
