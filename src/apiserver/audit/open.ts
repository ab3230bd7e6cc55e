/** From flags to an audit log. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { openLogFile } from './log-file.ts';
import { METADATA_POLICY, parsePolicy } from './policy.ts';
import { Audit } from './trail.ts';

/** Named after kube-apiserver's flags. */
export interface AuditOptions {
  /** `-` is the standard output. */
  readonly auditLogPath: string;
  /** Without one the metadata of every request is logged, and no content. */
  readonly auditPolicyFile?: string;
  /** Megabytes. */
  readonly auditLogMaxsize?: number;
  readonly auditLogMaxbackup?: number;
  /** Days. */
  readonly auditLogMaxage?: number;
}

/** Throws for a policy that cannot be read or is not valid, and for a log that cannot be opened. */
export async function openAudit(options: AuditOptions, clock: Clock, log: Log): Promise<Audit> {
  const { auditLogPath: path, auditPolicyFile } = options;
  const policy = auditPolicyFile === undefined ? METADATA_POLICY : parsePolicy(await readFile(auditPolicyFile, 'utf8'));
  const { auditLogMaxsize: maxSize = 100, auditLogMaxbackup: maxBackup = 10, auditLogMaxage: maxAge = 0 } = options;
  return new Audit(policy, await openLogFile({ path, maxSize, maxBackup, maxAge, clock, log }), clock);
}
