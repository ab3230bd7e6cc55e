/** CertificateSigningRequests. */
import { humanDuration } from '../../lib/text.ts';
import type { CertificateSigningRequest } from '../types.ts';
import { age, orNone } from './cells.ts';
import { definePrinter } from './printer.ts';

function condition({ status }: CertificateSigningRequest): string {
  const types = new Set((status?.conditions ?? []).map(({ type }) => type));
  const words = ['Approved', 'Denied', 'Failed'].filter((type) => types.has(type));
  if (words.length === 0) words.push('Pending');
  if (status?.certificate) words.push('Issued');
  return words.join(',');
}

/** What was decoded may lack a spec, whatever the type says. */
const specOf = ({ spec }: { spec?: CertificateSigningRequest['spec'] }) => spec as Partial<typeof spec>;

export const certificateSigningRequestPrinter = definePrinter<CertificateSigningRequest>([
  ['Age', 'string', age],
  ['SignerName', 'string', (request) => specOf(request)?.signerName ?? ''],
  ['Requestor', 'string', (request) => specOf(request)?.username ?? ''],
  [
    'RequestedDuration',
    'string',
    (request) => {
      const seconds = specOf(request)?.expirationSeconds;
      return seconds === undefined ? orNone('') : humanDuration(seconds * 1000);
    },
  ],
  ['Condition', 'string', condition],
]);
