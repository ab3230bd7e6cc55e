/**
 * One logger for all parts: JSON lines on stderr through pino. Returned errors are logged once, at the top; the pure middle never logs.
 * Secrets never enter: `redact` covers the fields that could carry one.
 */
import { pino } from 'pino';

export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'> & {
  child(fields: Record<string, unknown>): Log;
};

export function createLog(part: string, level = process.env['FAIRWAY_LOG_LEVEL'] ?? 'info'): Log {
  return pino(
    {
      level,
      base: { part },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: ['token', 'password', '*.token', '*.password', 'headers.authorization'],
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Says nothing: for tests. */
export const silentLog: Log = pino({ level: 'silent' });
