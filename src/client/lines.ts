/** Cuts a byte stream into lines, keeping no more than one line in memory. */

/** @throws Error once a line is longer than `maxBytes`: whoever sends it is not to be trusted with our memory. */
export async function* readLines(stream: AsyncIterable<Buffer | string>, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let held = 0;
  const take = (part: Buffer): string => {
    const line = parts.length === 0 ? part.toString('utf8') : Buffer.concat([...parts, part]).toString('utf8');
    parts = [];
    held = 0;
    return line;
  };
  for await (const piece of stream) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      assertShort(held + end - start, maxBytes);
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) {
      parts.push(chunk.subarray(start));
      held += chunk.length - start;
      assertShort(held, maxBytes);
    }
  }
  if (held > 0) yield take(Buffer.alloc(0));
}

function assertShort(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new Error(`a line is longer than ${String(maxBytes)} bytes`);
}

/** The whole body as text. @throws Error once it is longer than `maxBytes`. */
export async function readText(stream: AsyncIterable<Buffer | string>, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let held = 0;
  for await (const piece of stream) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    held += chunk.length;
    if (held > maxBytes) throw new Error(`the answer is longer than ${String(maxBytes)} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}
