/** The state of a cluster while a command changes it. */
import type { Layout } from './layout.ts';
import { ensurePart, stopPart, type Part } from './processes.ts';
import { writeState, type ClusterState } from './state.ts';

/** The state as it grows, written after each step, so that whatever happens `down` knows what there is. */
export class Session {
  readonly layout: Layout;
  #state: ClusterState;
  /** When this command started which part. */
  readonly started = new Map<string, number>();
  constructor(layout: Layout, state: ClusterState) {
    this.layout = layout;
    this.#state = state;
  }
  get state(): ClusterState {
    return this.#state;
  }
  save(change: Partial<ClusterState>): void {
    this.#state = { ...this.#state, ...change };
    writeState(this.layout.stateFile, this.#state);
  }
  /** `anew`: what it read when it started has changed. */
  async ensure(part: Part, anew = false): Promise<void> {
    const before = this.#state.processes[part.name];
    if (anew) await stopPart(before);
    const now = Date.now();
    const record = await ensurePart(part, before);
    if (record !== before) this.started.set(part.name, now);
    this.save({ processes: { ...this.#state.processes, [part.name]: record } });
  }
  replace(state: ClusterState): void {
    this.#state = state;
    writeState(this.layout.stateFile, state);
  }
  forget(...names: string[]): void {
    this.save({
      processes: Object.fromEntries(Object.entries(this.#state.processes).filter(([name]) => !names.includes(name))),
    });
  }
}
