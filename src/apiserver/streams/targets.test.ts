import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/types.ts';
import { execTarget, logTarget, portForwardTarget } from './targets.ts';

const pod: Pod = { metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [{ name: 'c' }] } };

const logs: [query: string, path: string][] = [
  ['', ''],
  ['follow=true&timestamps=True&previous=0', 'follow=true&previous=false&timestamps=true'],
  ['tailLines=0&limitBytes=1&sinceSeconds=1', 'sinceSeconds=1&tailLines=0&limitBytes=1'],
  ['sinceTime=2026-01-01T00:00:00Z&stream=Stderr', 'sinceTime=2026-01-01T00%3A00%3A00Z&stream=Stderr'],
  ['tailLines=&other=1', ''],
];
for (const [query, expected] of logs) {
  test(`logs with ${query || 'nothing'} (7-063)`, () => {
    assert.equal(logTarget(pod, new URLSearchParams(query)), `/containerLogs/shop/web/c?${expected}`);
  });
}

const refused: [query: string, code: number, message: RegExp][] = [
  [
    'tailLines=-1',
    422,
    /^PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0$/,
  ],
  ['limitBytes=0', 422, /limitBytes: Invalid value: 0: must be greater than 0$/],
  ['sinceSeconds=0', 422, /sinceSeconds: Invalid value: 0: must be greater than 0$/],
  [
    'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z',
    422,
    /at most one of `sinceTime` or `sinceSeconds` may be specified/,
  ],
  ['stream=Both', 422, /stream: Unsupported value: "Both": supported values: "All", "Stderr", "Stdout"/],
  ['tailLines=x', 400, /^strconv\.ParseInt: parsing "x": invalid syntax$/],
  ['sinceTime=yesterday', 400, /parsing time "yesterday"/],
  ['container=d', 400, /^container d is not valid for pod web$/],
];
for (const [query, code, message] of refused) {
  test(`logs with ${query} are refused`, () => {
    assert.throws(() => logTarget(pod, new URLSearchParams(query)), { code, message });
  });
}

test('a path is made of encoded names, whatever they hold', () => {
  const strange: Pod = { metadata: { name: 'a/b', namespace: 'x?y' }, spec: { containers: [{ name: 'c' }] } };
  const query = new URLSearchParams('command=a&command=%26b&stdin=True&stdout=1&tty=false');
  assert.equal(execTarget('exec', strange, query), '/exec/x%3Fy/a%2Fb/c?input=1&output=1&command=a&command=%26b');
  assert.equal(
    portForwardTarget(strange, new URLSearchParams('ports=80,81&ports=82')),
    '/portForward/x%3Fy/a%2Fb?port=80&port=81&port=82',
  );
});
