/** One certificate a cluster needs: who it speaks for, and at which addresses. */
export interface CertificateRequest {
  /** File name without ending, inside the pki folder. */
  readonly file: string;
  readonly commonName: string;
  readonly organization?: string;
  readonly use: 'client' | 'server';
  readonly ips?: readonly string[];
  readonly names?: readonly string[];
}
