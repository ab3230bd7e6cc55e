/** How much memory this process keeps beyond what it uses. */
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import type koffiModule from 'koffi';

/**
 * For a process that takes in much at its start and little after it: without this the room for new objects grows to three times 16 MB while the first
 * lists are read, and stays. Costs no time that could be measured. To be called before that, once.
 */
export function keepYoungHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * For a process that from time to time reads very much and keeps little of it: the heap is collected when it is a fifth larger than what is in use, not
 * when it is twice as large, and what is then free goes back to the kernel after a second.
 */
export function keepOldHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=20');
  setFlagsFromString('--memory-pool-timeout=1');
}

/**
 * For a process that has read much and keeps little of it: what is kept moves together and the rest goes back to the kernel. Stops the process for 0.1 s
 * for 25 MB kept, so it is for once, after a start. Nothing happens where Node was started without `--expose-gc`.
 */
export function compactHeap(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** Gives what the C library keeps for later back to the kernel: after much went through pipes, tens of MB. Takes some ms. Only glibc can. */
export function returnFreeMemory(): void {
  trim ??= findTrim();
  trim(0);
}

let trim: ((pad: number) => number) | undefined;

function findTrim(): (pad: number) => number {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof koffiModule;
    return koffi.load(null).func('int malloc_trim(size_t)') as (pad: number) => number;
  } catch {
    return () => 0;
  }
}
