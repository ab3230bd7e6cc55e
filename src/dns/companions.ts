/** Reads `testdata/companions.zone`: what servers with certain Corefiles answer, in the words of zone files. For tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onLines, readRow, type Draft, type Row } from './plugins/kubernetes/specification.ts';

const FILE = 'companions.zone';

export interface Section {
  /** The whole Corefile, or `default`. */
  readonly corefile: string;
  /** In their order. */
  readonly steps: readonly Step[];
}

/** A question with its answer, time that goes by, how the upstream does from now on, or over what it was asked. */
export type Step =
  | { readonly row: Row; readonly authorities: readonly string[] }
  | { readonly laterMs: number }
  | { readonly isFailing: boolean }
  | { readonly over: string };

/** @throws Error with the line that is not understood */
export function readCompanions(): Section[] {
  const sections: { corefile: string; steps: Step[] }[] = [];
  const text = readFileSync(join(import.meta.dirname, 'testdata', FILE), 'utf8');
  let last: { row: Draft; authorities: string[] } | undefined;
  for (const [at, line] of text.split('\n').entries()) {
    const steps = sections.at(-1)?.steps;
    if (line.trim() === '' || line.startsWith(';')) continue;
    if (line.startsWith('$COREFILE ')) sections.push({ corefile: onLines(line.slice(10)), steps: [] });
    else if (line.startsWith('$')) steps?.push(readTurn(line, at + 1));
    else if (line.startsWith('  - ')) last?.authorities.push(line.slice(4));
    else if (line.startsWith('    ')) last?.row.answers.push(line.slice(4));
    else {
      last = { row: readRow(line, { file: FILE, line: at + 1 }), authorities: [] };
      steps?.push(last);
    }
  }
  return sections;
}

function readTurn(line: string, at: number): Step {
  const [word, value = ''] = line.split(' ');
  if (word === '$LATER' && Number(value) > 0) return { laterMs: Number(value) * 1000 };
  if (word === '$UPSTREAM' && ['knows', 'fails'].includes(value)) return { isFailing: value === 'fails' };
  if (word === '$ASKED' && ['udp', 'tcp'].includes(value)) return { over: value };
  throw new Error(`${FILE}:${String(at)}: "${line}" is no turn of things`);
}
