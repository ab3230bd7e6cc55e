import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderLogLine } from './log-line.ts';

const LINES: [name: string, line: string, shown: string][] = [
  [
    'a message with its fields',
    '{"level":"info","time":"2026-11-20T13:38:36.860Z","part":"server","url":"https://172.30.0.1:6443","msg":"API server is ready"}',
    '13:38:36.860 info  server     API server is ready (url=https://172.30.0.1:6443)',
  ],
  [
    'the message of an error, without its stack; the node is known from the file',
    '{"level":"warn","time":"2026-11-20T13:38:36.516Z","part":"dns","node":"node01","err":{"type":"Error","message":"refused","stack":"Error: refused\\n at x"},"tries":2,"msg":"list failed"}',
    '13:38:36.516 warn  dns        list failed: refused (tries=2)',
  ],
  ['what is no JSON', 'time="2026" level=info msg=x', 'time="2026" level=info msg=x'],
  ['what only begins like it', '{"level":', '{"level":'],
  ['JSON of something else', '{"a":1}', '{"a":1}'],
];
for (const [name, line, shown] of LINES) {
  test(`a log line for people: ${name}`, () => {
    assert.equal(renderLogLine(line), shown);
  });
}
