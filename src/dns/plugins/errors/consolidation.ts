/** `consolidate`: of many errors of one kind one line, with their number. */
import type { RE2JS } from 're2js';
import type { Clock } from '../../../lib/clock.ts';

export const LEVELS = ['warning', 'error', 'info', 'debug'] as const;
export type Level = (typeof LEVELS)[number];

export interface Pattern {
  /** As written. */
  readonly text: string;
  readonly expression: RE2JS;
  readonly periodMs: number;
  /** The period as written: `30s`. */
  readonly period: string;
  readonly level: Level;
  /** The first is written at once, and only more than one are counted. */
  readonly showFirst: boolean;
}

export type Write = (level: Level, text: string) => void;

/** Counts from the first error of a kind until its period is over. */
export class Consolidation {
  readonly #clock: Clock;
  readonly #write: Write;
  readonly #counts = new Map<Pattern, { count: number; readonly cancel: () => void }>();

  constructor(clock: Clock, write: Write) {
    this.#clock = clock;
    this.#write = write;
  }

  /** @param line what is written of the first */
  add(pattern: Pattern, line: string): void {
    const counting = this.#counts.get(pattern);
    if (counting) {
      counting.count++;
      return;
    }
    if (pattern.showFirst) this.#write(pattern.level, line);
    const cancel = this.#clock.after(
      pattern.periodMs,
      () => {
        this.#flush(pattern);
      },
      true,
    );
    this.#counts.set(pattern, { count: 1, cancel });
  }

  /** Writes what was counted so far. */
  stop(): void {
    for (const [pattern, { cancel }] of this.#counts) {
      cancel();
      this.#flush(pattern);
    }
  }

  #flush(pattern: Pattern): void {
    const count = this.#counts.get(pattern)?.count ?? 0;
    this.#counts.delete(pattern);
    if (count === 0 || (pattern.showFirst && count === 1)) return;
    this.#write(pattern.level, `${String(count)} errors like '${pattern.text}' occurred in last ${pattern.period}`);
  }
}
