/** One line of a container's log as the runtime writes it: `TIME stdout|stderr F|P TEXT`. `P` is a part of a longer line. Pure. */

export interface LogLine {
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly stream: string;
  readonly partial: boolean;
  /** Without the line's end. */
  readonly text: Buffer;
}

const SPACE = 0x20;

/** undefined for what is no such line. `line` is without its newline. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = first < 0 ? -1 : line.indexOf(SPACE, first + 1);
  if (second < 0) return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const end = third < 0 ? line.length : third;
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  // The tag may be a list, `P:more`: its first word counts.
  const tag = line.toString('latin1', second + 1, end).split(':')[0];
  if (tag !== 'P' && tag !== 'F') return undefined;
  const text = third < 0 ? Buffer.alloc(0) : line.subarray(third + 1);
  return { time: line.toString('latin1', 0, first), stream, partial: tag === 'P', text };
}

export interface LogFormat {
  readonly timestamps: boolean;
  /** Only lines at or after this time, ms since the epoch. */
  readonly since: number | undefined;
  /** All streams where undefined. */
  readonly stream: 'stdout' | 'stderr' | undefined;
}

const NEWLINE = Buffer.from('\n');

/** Turns lines of the file into what a reader sees; parts of one line are joined. Keeps what it needs between calls. */
export class LogFormatter {
  readonly #format: LogFormat;
  #inLine = false;
  constructor(format: LogFormat) {
    this.#format = format;
  }

  /** The bytes to send for one raw line; undefined for none. */
  take(raw: Buffer): Buffer | undefined {
    const line = parseLogLine(raw);
    const { since, stream, timestamps } = this.#format;
    if (!line || (stream !== undefined && line.stream !== stream)) return undefined;
    if (since !== undefined && Date.parse(line.time) < since) return undefined;
    const head = timestamps && !this.#inLine ? [Buffer.from(`${line.time} `)] : [];
    this.#inLine = line.partial;
    return Buffer.concat([...head, line.text, ...(line.partial ? [] : [NEWLINE])]);
  }
}
