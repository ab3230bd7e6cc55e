/** One line of a log file for people. Pure. */

/** Said elsewhere in the line, or of no use to a reader. */
const KNOWN = new Set(['level', 'time', 'part', 'msg', 'err', 'node']);

/** JSON lines become `13:38:36.516 warn  dns       list failed: connect ECONNREFUSED (informer=pods)`; all others stay as they are. */
export function renderLogLine(line: string): string {
  const record = parseRecord(line);
  if (!record) return line;
  const { level, time, part, msg, err } = record;
  const rest = Object.entries(record).filter(([key]) => !KNOWN.has(key));
  const fields = rest.map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const clock = /T(.*?)Z?$/.exec(String(time))?.[1] ?? String(time);
  const cause = isRecord(err) && typeof err['message'] === 'string' ? `: ${err['message']}` : '';
  const tail = fields.length > 0 ? ` (${fields.join(', ')})` : '';
  return `${clock} ${String(level).padEnd(5)} ${String(part).padEnd(10)} ${String(msg)}${cause}${tail}`;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const record: unknown = JSON.parse(line);
    return isRecord(record) && 'msg' in record && 'time' in record ? record : undefined;
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
