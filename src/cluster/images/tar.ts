/**
 * Writes tar archives (POSIX ustar, with a pax header for a path that does not fit), always the same bytes for the same entries:
 * owner root, time zero, entries in the given order. Only what image layers need: files, directories and links.
 */

export type TarEntry = {
  /** Relative, without a leading slash: `etc/passwd`. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
} & (
  | { readonly type: 'file'; readonly content: Uint8Array }
  | { readonly type: 'directory' }
  /** `target` as it will be read from the link: absolute inside the image, or relative to the link. */
  | { readonly type: 'symlink'; readonly target: string }
);

const BLOCK = 512;
const flags = { file: '0', symlink: '2', directory: '5', pax: 'x' } as const;

/** The archive as pieces to be written one after the other; contents are not copied. */
export function tar(entries: Iterable<TarEntry>): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const entry of entries) {
    const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
    const target = entry.type === 'symlink' ? entry.target : '';
    const records = [
      ...(Buffer.byteLength(path) > 100 ? [paxRecord('path', path)] : []),
      ...(Buffer.byteLength(target) > 100 ? [paxRecord('linkpath', target)] : []),
    ];
    if (records.length > 0)
      push(pieces, header('pax', 'pax', 0o644, records.join(''), ''), Buffer.from(records.join('')));
    push(pieces, header(path, entry.type, entry.mode, entry.type === 'file' ? entry.content : '', target));
    if (entry.type === 'file') push(pieces, entry.content);
  }
  pieces.push(Buffer.alloc(2 * BLOCK));
  return pieces;
}

/** Adds pieces, the last one padded to a whole block. */
function push(into: Uint8Array[], ...pieces: Uint8Array[]): void {
  for (const piece of pieces) {
    if (piece.length === 0) continue;
    into.push(piece);
    const over = piece.length % BLOCK;
    if (over > 0) into.push(Buffer.alloc(BLOCK - over));
  }
}

function header(
  path: string,
  type: keyof typeof flags,
  mode: number,
  content: Uint8Array | string,
  target: string,
): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0, 100);
  octal(block, mode, 100, 8);
  octal(block, 0, 108, 8);
  octal(block, 0, 116, 8);
  octal(block, Buffer.byteLength(content), 124, 12);
  octal(block, 0, 136, 12);
  block.write('        ', 148);
  block.write(flags[type], 156);
  block.write(target, 157, 100);
  block.write('ustar\u000000', 257);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function octal(block: Buffer, value: number, at: number, width: number): void {
  block.write(value.toString(8).padStart(width - 1, '0'), at);
}

/** `LENGTH key=value\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return `${String(length)} ${key}=${value}\n`;
}
