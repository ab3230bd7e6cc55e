/**
 * Who may decide about a CertificateSigningRequest, and who may answer it: beside the right to the subresource one needs `approve` or `sign`
 * for its signer, as the CertificateApproval and CertificateSigning admission of Kubernetes ask for. What comes out may be a client
 * certificate of anybody.
 */
import { forbiddenRequest } from '../../api/api-error.ts';
import { deepEqual } from '../../api/deep-equal.ts';
import { CERTIFICATE_SIGNING_REQUESTS, type Kind } from '../../api/kinds.ts';
import { isDecision } from '../../api/strategies/certificates.ts';
import type { CertificateSigningRequest } from '../../api/types.ts';
import type { Authorizer } from './authorizer.ts';
import type { WriteGuard } from './write-guard.ts';

export function createSignerCheck(authorizer: Authorizer): WriteGuard['checkGrant'] {
  return (user, kind, object, old) => {
    if (kind !== (CERTIFICATE_SIGNING_REQUESTS as Kind) || !old) return;
    const { metadata, spec } = old as CertificateSigningRequest;
    const { signerName } = spec;
    const may = (verb: string): boolean =>
      [signerName, `${signerName.slice(0, signerName.indexOf('/'))}/*`].some((name) => {
        const place = {
          group: 'certificates.k8s.io',
          version: '*',
          resource: 'signers',
          subresource: '',
          namespace: '',
        };
        return authorizer.decide(user, { type: 'resource', verb, ...place, name }).allowed;
      });
    for (const verb of neededFor(object as CertificateSigningRequest, old as CertificateSigningRequest)) {
      if (may(verb)) continue;
      const why = `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`;
      throw forbiddenRequest(kind, metadata.name, why);
    }
  };
}

function neededFor(
  { status: now }: CertificateSigningRequest,
  { status: before }: CertificateSigningRequest,
): string[] {
  const of = (status: typeof now, decided: boolean) =>
    (status?.conditions ?? []).filter((each) => isDecision(each) === decided);
  const decides = !deepEqual(of(now, true), of(before, true));
  const signs = now?.certificate !== before?.certificate || !deepEqual(of(now, false), of(before, false));
  return [...(decides ? ['approve'] : []), ...(signs ? ['sign'] : [])];
}
