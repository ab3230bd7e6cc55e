/** Writes into a new CertificateSigningRequest who asks: a signer gives out what it finds there, so nobody may say it of himself. */
import { CERTIFICATE_SIGNING_REQUESTS, type Kind } from '../../api/kinds.ts';
import type { CertificateSigningRequest, KubeObject } from '../../api/types.ts';
import type { User } from '../request.ts';

/** Changes a new request in place. */
export function admitRequester(kind: Kind, object: KubeObject, user: User): void {
  if (kind !== CERTIFICATE_SIGNING_REQUESTS) return;
  // Decoded JSON may lack a spec; validation will say so.
  const { spec } = object as Partial<CertificateSigningRequest>;
  if (!spec) return;
  const { name, groups, uid, extra } = user;
  const { username: _username, groups: _groups, uid: _uid, extra: _extra, ...asked } = spec;
  const who = { username: name, groups: [...groups], ...(uid && { uid }), ...(extra && { extra }) };
  (object as CertificateSigningRequest).spec = { ...asked, ...who } as CertificateSigningRequest['spec'];
}
