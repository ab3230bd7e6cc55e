/** A runtime for tests of plugins: nothing in it touches the machine until a test claims a face. */
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { createChangeFeed } from './change-feed.ts';
import { HttpFaces } from './http-faces.ts';
import { DnsMetrics } from './metrics.ts';
import type { Runtime } from './plugin.ts';
import { QueryTap } from './query-log/tap.ts';

/** `random` is always 0 where absent, and the clock stands still. */
export function fakeRuntime(change: Partial<Runtime> = {}): Runtime {
  const clock = change.clock ?? new FakeClock();
  return {
    log: silentLog,
    clock,
    random: () => 0,
    resolvConf: '/nonexistent/resolv.conf',
    ownAddresses: [],
    changes: createChangeFeed(),
    metrics: new DnsMetrics(),
    faces: new HttpFaces({ log: change.log ?? silentLog, clock }),
    tap: new QueryTap(),
    ailments: new Map(),
    unready: () => [],
    ...change,
  };
}
