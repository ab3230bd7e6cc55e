/** What a log request asks for (feature 7-063), from its query. Pure. */

export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Ms since the epoch. */
  readonly since: number | undefined;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

/** Throws RangeError that names the parameter. `now` is ms since the epoch. */
export function parseLogOptions(query: URLSearchParams, now: number): LogOptions {
  const count = (name: string, least: number) => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    if (!/^-?\d{1,15}$/.test(text) || Number(text) < least) {
      throw new RangeError(`${name}: Invalid value: "${text}": must be greater than or equal to ${String(least)}`);
    }
    return Number(text);
  };
  const sinceSeconds = count('sinceSeconds', 1);
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '' && sinceSeconds !== undefined) {
    throw new RangeError('sinceSeconds: Forbidden: at most one of sinceTime or sinceSeconds may be specified');
  }
  const time = sinceTime === '' ? undefined : Date.parse(sinceTime);
  if (time !== undefined && Number.isNaN(time))
    throw new RangeError(`sinceTime: Invalid value: "${sinceTime}": must be RFC 3339`);
  const stream = (query.get('stream') ?? '').toLowerCase();
  if (!['', 'all', 'stdout', 'stderr'].includes(stream)) {
    throw new RangeError(`stream: Unsupported value: "${stream}": supported values: "All", "Stdout", "Stderr"`);
  }
  return {
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    since: sinceSeconds === undefined ? time : now - sinceSeconds * 1000,
    tailLines: count('tailLines', 0),
    limitBytes: count('limitBytes', 1),
    stream: stream === 'stdout' || stream === 'stderr' ? stream : undefined,
  };
}

export function isTrue(text: string | null): boolean {
  return text === 'true' || text === '1';
}
