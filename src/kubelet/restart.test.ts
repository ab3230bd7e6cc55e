import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextRestart, restartAt, restarts, spellDelay } from './restart.ts';
import type { RestartState } from './restart.ts';

const SECOND = 1000;

test('delays grow 0, 10, 20 … 300 s while a container keeps ending', () => {
  let state: RestartState | undefined;
  let end = 0;
  const delays: number[] = [];
  for (let run = 0; run < 8; run += 1) {
    delays.push((restartAt(state, end) - end) / SECOND);
    state = nextRestart(state, end);
    end += 60 * SECOND;
  }
  assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
});

test('a run of more than ten minutes makes the past forgotten', () => {
  const state = { delay: 300 * SECOND, at: 0 };
  assert.equal(restartAt(state, 600 * SECOND), 900 * SECOND);
  assert.equal(restartAt(state, 601 * SECOND), 601 * SECOND);
  assert.deepEqual(nextRestart(state, 601 * SECOND), { delay: 10 * SECOND, at: 601 * SECOND });
});

test('the restart policy decides by exit code', () => {
  const table = [
    ['Always', 0, true],
    ['Always', 1, true],
    ['OnFailure', 0, false],
    ['OnFailure', 1, true],
    ['Never', 1, false],
  ] as const;
  for (const [policy, exitCode, expected] of table) assert.equal(restarts(policy, exitCode), expected, policy);
});

test('delays are spelled as the kubelet spells them', () => {
  assert.deepEqual(
    [10, 20, 80, 160, 300].map((seconds) => spellDelay(seconds * SECOND)),
    ['10s', '20s', '1m20s', '2m40s', '5m0s'],
  );
});
