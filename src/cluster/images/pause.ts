/**
 * The process of a pod's sandbox: it holds the pod's namespaces and does nothing. As PID 1 it must reap orphans and end at once
 * on SIGTERM. A whole program of about 300 bytes, written as machine code, so that a node needs no compiler and no shell for it.
 *
 * What it does: ignore SIGCHLD (the kernel then reaps by itself), block SIGTERM and SIGINT (an init process never sees a signal
 * without handler unless it is blocked), wait for one of them, exit with 0.
 */

/** CPU architectures by Node's name (`process.arch`). */
export type Architecture = 'x64' | 'arm64';

/** The executable (ELF) for one architecture. */
export function pauseProgram(architecture: Architecture): Uint8Array {
  return architecture === 'x64' ? elf(62, x64()) : elf(183, arm64());
}

const HEADERS = 64 + 56;
const BASE = 0x400000n;
/** Asked for by arm64 kernels with large pages; harmless elsewhere. */
const ALIGN = 0x10000n;

/** A static executable with one segment, loaded whole, entered right behind the headers. */
function elf(machine: number, code: Uint8Array): Buffer {
  const out = Buffer.alloc(HEADERS + code.length);
  const size = BigInt(out.length);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64-bit, little-endian
  out.writeUInt16LE(2, 16); // an executable
  out.writeUInt16LE(machine, 18);
  out.writeUInt32LE(1, 20);
  out.writeBigUInt64LE(BASE + BigInt(HEADERS), 24); // entry
  out.writeBigUInt64LE(64n, 32); // program headers
  out.writeUInt16LE(64, 52);
  out.writeUInt16LE(56, 54);
  out.writeUInt16LE(1, 56);
  out.writeUInt32LE(1, 64); // load
  out.writeUInt32LE(5, 68); // read and execute
  out.writeBigUInt64LE(BASE, 80);
  out.writeBigUInt64LE(BASE, 88);
  out.writeBigUInt64LE(size, 96);
  out.writeBigUInt64LE(size, 104);
  out.writeBigUInt64LE(ALIGN, 112);
  out.set(code, HEADERS);
  return out;
}

/** `struct sigaction` with SIG_IGN and nothing else, then the set of SIGINT and SIGTERM. */
function data(): Buffer {
  const out = Buffer.alloc(32 + 8);
  out.writeBigUInt64LE(1n, 0);
  out.writeBigUInt64LE((1n << 1n) | (1n << 14n), 32);
  return out;
}

function x64(): Buffer {
  const sigaction = 0;
  const set = 32;
  const bytes: number[] = [];
  const addresses: { at: number; offset: number }[] = [];
  const int32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
  const emit = (...more: number[]) => bytes.push(...more);
  const move = (opcode: number[], value: number) => emit(...opcode, ...int32(value));
  const address = (opcode: number[], offset: number) => {
    emit(...opcode);
    addresses.push({ at: bytes.length, offset });
    emit(0, 0, 0, 0);
  };
  const eax = [0xb8];
  const edi = [0xbf];
  const r10d = [0x41, 0xba];
  const leaRsi = [0x48, 0x8d, 0x35];
  const leaRdi = [0x48, 0x8d, 0x3d];
  const clearEdi = [0x31, 0xff];
  const clearEsi = [0x31, 0xf6];
  const clearEdx = [0x31, 0xd2];
  const syscall = [0x0f, 0x05];

  move(eax, 13); // rt_sigaction(SIGCHLD, &sigaction, 0, 8)
  move(edi, 17);
  address(leaRsi, sigaction);
  emit(...clearEdx);
  move(r10d, 8);
  emit(...syscall);
  move(eax, 14); // rt_sigprocmask(SIG_BLOCK, &set, 0, 8)
  emit(...clearEdi);
  address(leaRsi, set);
  emit(...clearEdx);
  move(r10d, 8);
  emit(...syscall);
  const again = bytes.length;
  move(eax, 128); // rt_sigtimedwait(&set, 0, 0, 8)
  address(leaRdi, set);
  emit(...clearEsi, ...clearEdx);
  move(r10d, 8);
  emit(...syscall);
  emit(0x85, 0xc0); // interrupted (a negative result): wait again
  emit(0x7e, (again - (bytes.length + 2)) & 255);
  move(eax, 60); // exit(0)
  emit(...clearEdi, ...syscall);

  const code = Buffer.from(bytes);
  for (const { at, offset } of addresses) code.writeInt32LE(code.length + offset - (at + 4), at);
  return Buffer.concat([code, data()]);
}

function arm64(): Buffer {
  const sigaction = 0;
  const set = 32;
  const words: ((at: number, end: number) => number)[] = [];
  const move = (register: number, value: number) => words.push(() => 0xd2800000 + value * 32 + register);
  const address = (register: number, offset: number) =>
    words.push((at, end) => {
      const distance = end + offset - at;
      return 0x10000000 + (distance & 3) * 0x20000000 + (distance >> 2) * 32 + register;
    });
  const syscall = () => words.push(() => 0xd4000001);
  const x8 = 8;

  move(x8, 134); // rt_sigaction(SIGCHLD, &sigaction, 0, 8)
  move(0, 17);
  address(1, sigaction);
  move(2, 0);
  move(3, 8);
  syscall();
  move(x8, 135); // rt_sigprocmask(SIG_BLOCK, &set, 0, 8)
  move(0, 0);
  address(1, set);
  move(2, 0);
  move(3, 8);
  syscall();
  const again = words.length;
  move(x8, 137); // rt_sigtimedwait(&set, 0, 0, 8)
  address(0, set);
  move(1, 0);
  move(2, 0);
  move(3, 8);
  syscall();
  words.push(() => 0xf100001f); // compare x0 with 0; interrupted (a negative result): wait again
  const branch = words.length;
  words.push(() => 0x54000000 + ((again - branch) & 0x7ffff) * 32 + 0xd);
  move(x8, 93); // exit(0)
  move(0, 0);
  syscall();

  const end = words.length * 4;
  const code = Buffer.alloc(end);
  words.forEach((word, index) => code.writeUInt32LE(word(index * 4, end), index * 4));
  return Buffer.concat([code, data()]);
}
