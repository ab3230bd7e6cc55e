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
      serializers: { err: errorOf },
      redact: ['token', 'password', '*.token', '*.password', 'headers.authorization'],
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** pino adds the words of causes to those of an error, which say them already where we wrapped them. Pure. */
export function errorOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const told = pino.stdSerializers.err(error);
  const isTold = error.cause instanceof Error && error.message.includes(error.cause.message);
  return isTold ? { ...told, message: error.message } : told;
}

/** Says nothing: for tests. */
export const silentLog: Log = pino({ level: 'silent' });
