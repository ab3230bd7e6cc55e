/** Plugins of server blocks from start to stop. */
import type { NamedInstance, Server } from './chain.ts';

const all = (servers: readonly Server[]): NamedInstance[] => servers.flatMap(({ plugins }) => plugins);

/** All or none: what was started is stopped again where one cannot. @throws the plugin's error */
export async function startPlugins(servers: readonly Server[]): Promise<void> {
  const results = await Promise.allSettled(
    all(servers).map(async ({ instance }) => {
      await instance.start?.();
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return;
  await stopPlugins(servers, 'reload');
  throw failed.reason;
}

export async function stopPlugins(servers: readonly Server[], why: 'end' | 'reload'): Promise<void> {
  await Promise.allSettled(
    all(servers).map(async ({ instance }) => {
      await instance.stop?.(why);
    }),
  );
}

/** Every plugin knows what it needs to answer. */
export async function whenReady(servers: readonly Server[]): Promise<void> {
  await Promise.all(all(servers).flatMap(({ instance: { whenReady: one } }) => (one ? [one] : [])));
}

/** Names of those that are not ready, each once. */
export function unreadyOf(servers: readonly Server[]): string[] {
  const waiting = all(servers).filter(({ instance }) => instance.isReady?.() === false);
  return [...new Set(waiting.map(({ name }) => name))].sort();
}
