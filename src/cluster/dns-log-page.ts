/**
 * `/dns/log` on the kubelet's port: what the node's DNS server is asked from now on, a line of JSON for each, until the reader goes. A reader
 * that is too slow is told how many lines it missed; nothing is kept for it.
 */
import type { ServerResponse } from 'node:http';
import { entryOf, parseLogFilter, wantsEntry, wantsQuestion } from '../dns/query-log/query-log.ts';
import type { QueryTap } from '../dns/query-log/tap.ts';
import { Refusal } from '../kubelet/server/index.ts';

/** Bytes that may wait for a reader. */
const MOST_WAITING = 1 << 20;
/** Readers of one node at once. */
const MOST_READERS = 16;

export class DnsLogPage {
  readonly #podAt: (address: string) => string | undefined;
  #readers = 0;

  constructor(podAt: (address: string) => string | undefined) {
    this.#podAt = podAt;
  }

  /** Resolves when the reader has gone. @throws Refusal */
  async serve(tap: QueryTap, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const filter = filterOf(query);
    if (this.#readers >= MOST_READERS) throw new Refusal(429, 'too many read the query log of this node already');
    this.#readers++;
    let missed = 0;
    const write = (line: object) => response.write(`${JSON.stringify(line)}\n`);
    const stop = tap.listen({
      wants: (question, asker) => wantsQuestion(filter, question, asker),
      hear: (record) => {
        const entry = entryOf(record, this.#podAt);
        if (!wantsEntry(filter, entry)) return;
        if (response.writableLength > MOST_WAITING) {
          missed++;
          return;
        }
        if (missed > 0) write({ missed });
        missed = 0;
        write(entry);
      },
    });
    response.setHeader('Content-Type', 'application/x-ndjson');
    response.flushHeaders();
    await new Promise((resolve) => response.on('close', resolve));
    stop();
    this.#readers--;
  }
}

function filterOf(query: URLSearchParams): ReturnType<typeof parseLogFilter> {
  try {
    return parseLogFilter(query);
  } catch (error) {
    throw new Refusal(400, error instanceof Error ? error.message : String(error));
  }
}
