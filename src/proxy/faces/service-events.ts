/** Tells people what is wrong with a Service where they look: Warning events on it, each once for as long as it lasts. */
import { SERVICES, apiVersionOf } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { EventRecorder } from '../../client/events.ts';
import type { Log } from '../../lib/log.ts';
import type { PlanProblem } from '../plan/types.ts';

/** Problems told of at one time; the rest waits for the next change, so that a broken cluster is not flooded with events. */
const MOST = 100;

export class ServiceEvents {
  readonly #recorder: EventRecorder;
  readonly #log: Log;
  readonly #uidOf: (namespace: string, name: string) => string | undefined;
  #told = new Set<string>();
  /** Those of the last report, where all of them were told. */
  #known: readonly (readonly PlanProblem[])[] = [];

  constructor(
    recorder: EventRecorder,
    log: Log,
    uidOf: (namespace: string, name: string) => string | undefined = () => undefined,
  ) {
    this.#recorder = recorder;
    this.#log = log;
    this.#uidOf = uidOf;
  }

  /**
   * All problems there are now, in one list or several. Those that were not there the last time are logged and become events. The same
   * lists as the last time cost nothing.
   */
  report(lists: readonly (readonly PlanProblem[])[]): void {
    if (lists.every((list, at) => list === this.#known[at] || (list.length === 0 && this.#told.size === 0))) return;
    const told = new Set<string>();
    let news = 0;
    for (const problem of lists.flat()) {
      const key = `${problem.namespace}/${problem.service} ${problem.message}`;
      if (told.has(key)) continue;
      if (!this.#told.has(key)) {
        if (++news > MOST) continue;
        this.#log.warn({ ...problem }, 'left out of the rules');
        this.warn(
          problem.namespace,
          problem.service,
          'FailedToProgramService',
          `Left out of the rules: ${problem.message}`,
        );
      }
      told.add(key);
    }
    if (news > MOST) this.#log.warn({ more: news - MOST }, 'more Services have problems than are told of at one time');
    this.#told = told;
    this.#known = news > MOST ? [] : lists;
  }

  warn(namespace: string, name: string, reason: string, message: string): void {
    const uid = this.#uidOf(namespace, name);
    const service: KubeObject = {
      apiVersion: apiVersionOf(SERVICES),
      kind: SERVICES.kind,
      metadata: { name, namespace, ...(uid !== undefined && { uid }) },
    };
    this.#recorder.event(service, 'Warning', reason, message);
  }

  /** Resolves when what was told is written or given up. */
  flush(): Promise<void> {
    return this.#recorder.flush();
  }
}
