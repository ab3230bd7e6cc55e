/**
 * Where one can listen to what is asked and how it is answered: for `fairway dns query` and `fairway dns log`. Nobody listens: nothing is
 * kept, and a question costs one look at `isOpen`. Whoever puts ready-made packets in front of the chain leaves them out while it is true, so that
 * what is heard is the whole way of the answer.
 *
 * Who may listen is not decided here: only what the node's own API lets in gets this far (`src/cluster`), never a Pod.
 */
import type { Asker, Reply, TrailStep } from '../plugin.ts';
import type { Message, Question } from '../wire/message.ts';

/** One question and what became of it. */
export interface QueryRecord {
  /** ms since the epoch, when the question came in. */
  readonly at: number;
  readonly id: number;
  readonly asker: Asker;
  /** As it came in. */
  readonly question: Question;
  /** Undefined: no reply was sent. */
  readonly reply?: Pick<Reply, 'from' | 'source' | 'problem'> & { readonly message: Message };
  /** What was thrown: SERVFAIL for the asker. */
  readonly error?: string;
  /** ms from the question to the answer, in this server. */
  readonly took: number;
  readonly trail: readonly TrailStep[];
}

export interface Listener {
  /** Looked at before the question is answered: one that nobody wants has no trail made. */
  wants(question: Question, asker: Asker): boolean;
  hear(record: QueryRecord): void;
}

export class QueryTap {
  readonly #listeners = new Set<Listener>();

  get isOpen(): boolean {
    return this.#listeners.size > 0;
  }

  /** Returns how to stop. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Answers by `answer`, and tells whoever wants to know. What `answer` throws is thrown on. */
  async through<T extends Reply>(
    message: Message,
    asker: Asker,
    answer: (trail?: TrailStep[]) => T | undefined | Promise<T | undefined>,
  ): Promise<T | undefined> {
    const [question] = message.questions;
    const listeners = question ? [...this.#listeners].filter((each) => each.wants(question, asker)) : [];
    if (!question || listeners.length === 0) return answer();
    const trail: TrailStep[] = [];
    const at = Date.now();
    const began = performance.now();
    const tell = (outcome: Pick<QueryRecord, 'reply' | 'error'>) => {
      const record = { at, id: message.id, asker, question, took: performance.now() - began, trail, ...outcome };
      for (const listener of listeners) listener.hear(record);
    };
    try {
      const reply = await answer(trail);
      tell(reply ? { reply } : {});
      return reply;
    } catch (error) {
      tell({ error: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  }
}
