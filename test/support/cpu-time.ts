/**
 * Milliseconds of processor time that `work` takes. Where that is not below `limit`, the least of three goes: what is slow by itself is slow each time,
 * but what an earlier test left to be collected, or a neighbour in the caches of a busy machine, falls into one of them.
 */
export async function cpuTimeOf(limit: number, work: () => unknown): Promise<number> {
  let least = Infinity;
  for (let go = 0; go < 3 && least >= limit; go++) {
    const begin = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(begin);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
