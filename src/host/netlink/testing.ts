/** For tests. */

/**
 * The longest that nothing else could run during `work`, in milliseconds of this thread's own processor time, so that a busy machine does not count: the
 * least of three rounds. `prepare` comes before each round and is not counted.
 */
export async function eventLoopHeld(work: () => Promise<void>, prepare?: () => Promise<void>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 3; round++) {
    await prepare?.();
    let longest = 0;
    let last = processorTime();
    const look = () => {
      const now = processorTime();
      longest = Math.max(longest, now - last);
      last = now;
    };
    const timer = setInterval(look, 1);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
    look();
    least = Math.min(least, longest);
  }
  return least;
}

function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
