import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { parseLogLine } from './line.ts';
import { parseLogOptions, type LogOptions } from './options.ts';
import { readLog } from './reader.ts';
import { rotateAll } from './rotation.ts';
import { tailOffset } from './tail.ts';

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.123456789Z`;
const entry = (second: number, text: string, tag = 'F', stream = 'stdout') =>
  `${at(second)} ${stream} ${tag} ${text}\n`;
const plain: LogOptions = {
  follow: false,
  previous: false,
  timestamps: false,
  since: undefined,
  tailLines: undefined,
  limitBytes: undefined,
  stream: undefined,
};

function logFile(t: TestContext, content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'logs-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const path = join(directory, '0.log');
  writeFileSync(path, content);
  return path;
}

async function read(path: string, options: Partial<LogOptions>): Promise<string> {
  const pieces: Buffer[] = [];
  const { signal } = new AbortController();
  for await (const piece of readLog(path, { ...plain, ...options }, () => false, signal)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

const content =
  entry(1, 'one') +
  entry(2, 'oops', 'F', 'stderr') +
  entry(3, 'half ', 'P') +
  entry(3, 'whole', 'F') +
  'rubbish\n' +
  entry(4, '') +
  entry(5, '  five ');

const cases: [what: string, options: Partial<LogOptions>, expected: string][] = [
  ['everything', {}, 'one\noops\nhalf whole\n\n  five \n'],
  [
    'timestamps, one for a joined line',
    { timestamps: true },
    `${at(1)} one\n${at(2)} oops\n${at(3)} half whole\n${at(4)} \n${at(5)}   five \n`,
  ],
  ['the last line', { tailLines: 1 }, '  five \n'],
  ['the last three lines: parts count as one', { tailLines: 3 }, 'half whole\n\n  five \n'],
  ['no lines at all', { tailLines: 0 }, ''],
  ['more lines than there are', { tailLines: 99 }, 'one\noops\nhalf whole\n\n  five \n'],
  ['since a time', { since: Date.parse('2026-01-01T00:00:04Z') }, '\n  five \n'],
  ['since before the tail', { since: Date.parse('2026-01-01T00:00:05Z'), tailLines: 3 }, '  five \n'],
  ['a limit of bytes', { limitBytes: 6 }, 'one\noo'],
  ['one stream', { stream: 'stderr' }, 'oops\n'],
];
for (const [what, options, expected] of cases) {
  test(`reading a log: ${what}`, async (t) => {
    assert.equal(await read(logFile(t, content), options), expected);
  });
}

test('reading an empty log gives nothing, a missing one is an error', async (t) => {
  assert.equal(await read(logFile(t, ''), { tailLines: 5 }), '');
  await assert.rejects(read('/nowhere/0.log', {}), { code: 'ENOENT' });
});

test('the tail of any log is what splitting it gives, across blocks', async (t) => {
  const lines = Array.from({ length: 3000 }, (_, i) => entry(i % 60, `${String(i)} ${'x'.repeat((i * 37) % 200)}`));
  const path = logFile(t, lines.join(''));
  const file = await open(path);
  const { size } = await file.stat();
  for (const count of [1, 2, 10, 999, 2999, 3000, 3001]) {
    const offset = await tailOffset(file, size, count);
    assert.equal(readFileSync(path).subarray(offset).toString(), lines.slice(-count).join(''), String(count));
  }
  await file.close();
});

test('a line longer than a block is found by the tail', async (t) => {
  const long = entry(1, 'y'.repeat(200_000));
  assert.equal(
    await read(logFile(t, entry(0, 'first') + long + entry(2, 'last')), { tailLines: 2 }),
    `${'y'.repeat(200_000)}\nlast\n`,
  );
});

/** Collects what a follower yields, and waits until it has seen a text. */
function follow(path: string, isRunning: () => boolean, options: Partial<LogOptions> = {}) {
  const abort = new AbortController();
  let seen = '';
  let tell = () => undefined as unknown;
  const done = (async () => {
    for await (const piece of readLog(path, { ...plain, follow: true, ...options }, isRunning, abort.signal)) {
      seen += piece.toString();
      tell();
    }
  })();
  const until = async (text: string) => {
    while (!seen.endsWith(text)) await new Promise<void>((resolve) => (tell = resolve));
  };
  return { abort, done, until, seen: () => seen };
}

test(
  'following sees new lines, goes through a rotation without loss, and ends with the container',
  { timeout: 10_000 },
  async (t) => {
    const path = logFile(t, entry(1, 'a'));
    let running = true;
    const follower = follow(path, () => running);
    await follower.until('a\n');
    appendFileSync(path, entry(2, 'b'));
    await follower.until('b\n');
    renameSync(path, `${path}.20260101-000000`);
    appendFileSync(`${path}.20260101-000000`, entry(3, 'c'));
    writeFileSync(path, entry(4, 'd'));
    await follower.until('d\n');
    appendFileSync(path, entry(5, 'last words'));
    running = false;
    await follower.done;
    assert.equal(follower.seen(), 'a\nb\nc\nd\nlast words\n');
  },
);

test(
  'following passes a line on only when it is whole, and stops when the reader leaves',
  { timeout: 10_000 },
  async (t) => {
    const line = entry(1, 'split');
    const path = logFile(t, entry(0, 'x') + line.slice(0, 20));
    const follower = follow(path, () => true);
    await follower.until('x\n');
    appendFileSync(path, line.slice(20));
    await follower.until('split\n');
    follower.abort.abort();
    await follower.done;
  },
);

test('following a running container ends at the limit of bytes', { timeout: 10_000 }, async (t) => {
  const path = logFile(t, entry(1, 'abcdef'));
  const follower = follow(path, () => true, { limitBytes: 3 });
  await follower.done;
  assert.equal(follower.seen(), 'abc');
});

const lines: [line: string, expected: [string, boolean, string] | undefined][] = [
  [`${at(1)} stdout F hello`, ['stdout', false, 'hello']],
  [`${at(1)} stderr P part`, ['stderr', true, 'part']],
  [`${at(1)} stdout F:x hello`, ['stdout', false, 'hello']],
  [`${at(1)} stdout F`, ['stdout', false, '']],
  [`${at(1)} other F hello`, undefined],
  [`${at(1)} stdout X hello`, undefined],
  ['', undefined],
];
for (const [line, expected] of lines) {
  test(`the log line ${JSON.stringify(line.slice(31))} is ${expected ? 'read' : 'refused'}`, () => {
    const parsed = parseLogLine(Buffer.from(line));
    assert.deepEqual(parsed && [parsed.stream, parsed.partial, parsed.text.toString()], expected);
  });
}

test('log parameters are read, and wrong ones are named', () => {
  const now = Date.parse('2026-01-01T00:10:00Z');
  const parse = (query: string) => parseLogOptions(new URLSearchParams(query), now);
  assert.deepEqual(parse(''), plain);
  assert.deepEqual(
    parse('follow=true&previous=1&timestamps=true&sinceSeconds=60&tailLines=5&limitBytes=9&stream=Stderr'),
    {
      follow: true,
      previous: true,
      timestamps: true,
      since: now - 60_000,
      tailLines: 5,
      limitBytes: 9,
      stream: 'stderr',
    },
  );
  assert.equal(parse('sinceTime=2026-01-01T00:00:00Z').since, Date.parse('2026-01-01T00:00:00Z'));
  const wrong: [query: string, why: RegExp][] = [
    ['tailLines=-1', /^tailLines: Invalid value: "-1"/],
    ['tailLines=x', /^tailLines/],
    ['limitBytes=0', /^limitBytes: .* greater than or equal to 1/],
    ['sinceSeconds=0', /^sinceSeconds/],
    ['sinceTime=yesterday', /^sinceTime/],
    ['sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1', /at most one/],
    ['stream=both', /^stream/],
  ];
  for (const [query, why] of wrong) assert.throws(() => parse(query), { message: why });
});

function rotationOf(t: TestContext) {
  const path = logFile(t, 'x'.repeat(100));
  const directory = join(path, '..');
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const reopened: string[] = [];
  let fails = false;
  const options = {
    cri: {
      reopenContainerLog: (id: string) => {
        if (fails) return Promise.reject(new Error('no'));
        reopened.push(id);
        writeFileSync(path, '');
        return Promise.resolve();
      },
    },
    containers: () => [{ id: 'c1', logPath: path }],
    clock,
    log: silentLog,
    maxSize: 100,
    maxFiles: 3,
  };
  return { path, directory, clock, reopened, options, fail: () => (fails = true) };
}

test('a log past its size is renamed, reopened, and older ones are compressed and counted', async (t) => {
  const { path, directory, clock, reopened, options } = rotationOf(t);
  for (const letter of ['a', 'b', 'c', 'd']) {
    writeFileSync(path, letter.repeat(100));
    await rotateAll(options);
    clock.advance(1000);
  }
  assert.deepEqual(readdirSync(directory).sort(), ['0.log', '0.log.20260101-000002.gz', '0.log.20260101-000003']);
  assert.equal(gunzipSync(readFileSync(join(directory, '0.log.20260101-000002.gz'))).toString(), 'c'.repeat(100));
  assert.equal(reopened.length, 4);
  await rotateAll(options);
  assert.equal(reopened.length, 4, 'a small log is left alone');
});

test('a log the runtime does not reopen keeps its name', async (t) => {
  const { path, directory, options, fail } = rotationOf(t);
  fail();
  await rotateAll(options);
  assert.deepEqual(readdirSync(directory), ['0.log']);
  truncateSync(path, 0);
});
