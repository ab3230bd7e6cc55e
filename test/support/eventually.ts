/** Asks again until `look` stops throwing; fails with its last words. Polls because the thing waited for is another program's. */
export async function eventually<T>(look: () => T | Promise<T>, timeout = 30_000, every = 50): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, every));
    }
  }
}
