/** The face of the store. */
export { createMemoryStore } from './memory.ts';
export { openSqliteStore, type SqliteOptions } from './sqlite.ts';
export { StoreError, type StoreErrorCode } from './store-error.ts';
export {
  Compacted,
  ConditionFailed,
  type Entry,
  type ListResult,
  type Operation,
  type Store,
  type StoreEvent,
} from './store.ts';
