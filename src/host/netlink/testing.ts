/** For tests. */

/**
 * The longest that nothing else could run during `work`, in milliseconds: the least of three rounds, since on a busy machine others take the processor,
 * too. `prepare` comes before each round and is not counted.
 */
export async function eventLoopHeld(work: () => Promise<void>, prepare?: () => Promise<void>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 3; round++) {
    await prepare?.();
    let longest = 0;
    let last = performance.now();
    const look = () => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    };
    const timer = setInterval(look, 1);
    await work();
    look();
    clearInterval(timer);
    least = Math.min(least, longest);
  }
  return least;
}
