/** What a rule of `rewrite` is. */
import type { Query, Reply } from '../../plugin.ts';

/** Makes of a reply what the asker is to see. */
export type Revert = (reply: Reply) => Reply | Promise<Reply>;

export interface Applied {
  /** What is asked from here on. */
  readonly query: Query;
  readonly revert?: Revert;
}

export interface Rule {
  /** After it applied no other rule is looked at. */
  readonly stops: boolean;
  /** Does the same for everyone who asks the same. */
  readonly isByQuestion: boolean;
  /** Undefined: not for this query. @throws Error where the rewritten name is none */
  apply(query: Query): Applied | undefined;
}
