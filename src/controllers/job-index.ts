/** Completed indexes of an Indexed Job, as its status spells them: `0,2-5,9`. Pure. */

/** Indexes below `limit`; text that is out of shape is passed over. */
export function parseIndexes(text: string, limit: number): Set<number> {
  const indexes = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined || last === undefined) continue;
    for (let at = Number(first); at <= Math.min(Number(last), limit - 1); at++) indexes.add(at);
  }
  return indexes;
}

/** Two in a row stay apart (`1,2`), from three on they become a range (`1-3`). */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const parts: string[] = [];
  let run: number[] = [];
  const flush = () => {
    const [first, last] = [run[0], run.at(-1)];
    if (run.length > 2) parts.push(`${String(first)}-${String(last)}`);
    else parts.push(...run.map(String));
  };
  for (const at of [...indexes].sort((a, b) => a - b)) {
    if (run.length > 0 && at !== (run.at(-1) ?? 0) + 1) {
      flush();
      run = [];
    }
    run.push(at);
  }
  flush();
  return parts.join(',');
}
