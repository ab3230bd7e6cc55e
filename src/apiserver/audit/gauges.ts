/** What the audit log has taken and lost, under the names of Kubernetes. */
import type { Gauge } from '../metrics.ts';
import type { Audit } from './trail.ts';

export function auditGauges(audit: Pick<Audit, 'file'> | undefined): Gauge[] {
  if (!audit) return [];
  const { written, lost } = audit.file;
  return [
    {
      name: 'apiserver_audit_event_total',
      help: 'Audit events written to the log.',
      type: 'counter',
      value: written,
    },
    {
      name: 'apiserver_audit_error_total',
      help: 'Audit events that could not be written.',
      type: 'counter',
      labels: { plugin: 'log' },
      value: lost,
    },
  ];
}
