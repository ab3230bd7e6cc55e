/**
 * The database file: opening it alone, its tables, its statements. Every state a key ever had is a row of `log`, so that the past can
 * be listed and watched; `seq` = revision * 4096 + place within its commit, so order by revision is order by row.
 */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { MAX_OPERATIONS } from './refusals.ts';
import { storeError, translateError } from './store-error.ts';

const SCHEMA_VERSION = 1;

/**
 * `created` 0 marks a deletion. `previous`: seq of the row that this one replaced, 0 where the key was absent.
 * The small columns stand before the value, so that looking at them does not read a long value's pages.
 */
const SCHEMA = `
  CREATE TABLE log (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL, previous INTEGER NOT NULL, value TEXT
  ) STRICT;
  CREATE INDEX log_key ON log (key);
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  INSERT INTO meta VALUES ('compacted', 0);
`;

export const seqOf = (revision: number): number => revision * MAX_OPERATIONS;
export const revisionOf = (seq: number): number => Math.floor(seq / MAX_OPERATIONS);

/**
 * Creates the file where absent, readable by its owner only: it holds Secrets. Takes it for this process alone until closed.
 * Commits are not synced by SQLite (synchronous=NORMAL): the store syncs the write-ahead log itself before it acknowledges.
 * Checkpoints are (NORMAL syncs the log before and the database after), so a crash leaves nothing torn.
 * @throws StoreError
 */
export function openFile(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    createFile(path);
    database = new DatabaseSync(path);
    database.exec(
      'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000',
    );
    database.exec('BEGIN IMMEDIATE');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > SCHEMA_VERSION) throw storeError(path, 'open', 'newer');
    if (version === 0) database.exec(`${SCHEMA}; PRAGMA user_version=${String(SCHEMA_VERSION)}`);
    database.exec('COMMIT');
    syncFolder(dirname(path));
    return database;
  } catch (error) {
    database?.close();
    throw translateError(path, 'open', error);
  }
}

/** Never opens a file that is there: closing it again would drop the locks this process holds on it (POSIX record locks). */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** So that the files themselves are still there after a power cut. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const latest = (limit: string) => `
    SELECT log.seq, log.key, log.created, log.value FROM
      (SELECT max(seq) AS seq FROM log WHERE key >= :from AND key > :after AND key < :end AND seq < :before GROUP BY key) AS newest
      CROSS JOIN log ON log.seq = newest.seq
      WHERE log.created > 0 ${limit}`;
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    /** The newest row of a key before a seq. */
    newest: prepare('SELECT seq, key, created, value FROM log WHERE key = ? AND seq < ? ORDER BY seq DESC LIMIT 1'),
    insert: prepare('INSERT INTO log (seq, key, created, previous, value) VALUES (?, ?, ?, ?, ?)'),
    list: prepare(latest('LIMIT :limit')),
    count: prepare(`SELECT count(*) AS count FROM (${latest('').replace(', log.value', '')})`),
    /** '+' keeps the planner off the index by key: the wanted order is that of the rows. */
    history: prepare(`
      SELECT log.seq, log.key, log.created, log.value, old.created AS oldCreated, old.value AS oldValue
      FROM log LEFT JOIN log AS old ON old.seq = log.previous
      WHERE log.seq >= :from AND log.seq < :before AND +log.key >= :key AND +log.key < :end ORDER BY log.seq`),
    lastSeq: prepare('SELECT max(seq) AS seq FROM log'),
    compacted: prepare("SELECT value FROM meta WHERE name = 'compacted'"),
    setCompacted: prepare("UPDATE meta SET value = ? WHERE name = 'compacted'"),
    dropReplaced: prepare(
      'DELETE FROM log WHERE seq IN (SELECT previous FROM log WHERE seq >= :from AND seq < :before AND previous > 0)',
    ),
    dropDeletions: prepare('DELETE FROM log WHERE seq >= :from AND seq < :before AND created = 0'),
  };
}
