/** One write as admission sees it: after decoding and defaulting, before validation. */
import type { KindName } from '../../api/decode.ts';
import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types.ts';
import type { WriteContext } from '../core.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface Attributes {
  readonly operation: Operation;
  /** The stored kind. */
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource?: string;
  /** What `object` and `old` are, where the subresource has a kind of its own. */
  readonly face?: KindName;
  /** As it is to be; undefined on DELETE. */
  readonly object?: KubeObject;
  /** As it is stored; undefined on CREATE. */
  readonly old?: KubeObject;
  readonly context: WriteContext;
}
