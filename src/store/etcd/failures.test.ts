import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrpcError } from '../../host/grpc/grpc-error.ts';
import { parseEndpoints } from './endpoints.ts';
import { outcomeOf, refused, type Outcome } from './failures.ts';

const answered = (code: number, text: string) => new GrpcError(code, text, { answered: true });
const outcomes: [string, GrpcError, Outcome][] = [
  ['nobody listened', new GrpcError(14, 'the connection broke', { unsent: true }), 'again'],
  ['the connection broke on the way', new GrpcError(14, 'the connection broke'), 'doubt'],
  ['no answer in time', new GrpcError(4, 'no answer within 8000 ms'), 'doubt'],
  ['no leader', answered(14, 'etcdserver: no leader'), 'again'],
  ['too many requests', answered(8, 'etcdserver: too many requests'), 'again'],
  ['timed out', answered(14, 'etcdserver: request timed out'), 'doubt'],
  [
    'timed out while a leader died',
    answered(14, 'etcdserver: request timed out, possibly due to previous leader failure'),
    'doubt',
  ],
  ['the leader changed', answered(14, 'etcdserver: leader changed'), 'doubt'],
  ['the member goes down', answered(14, 'etcdserver: server stopped'), 'doubt'],
  ['cancelled', answered(1, 'context canceled'), 'doubt'],
  ['no space', answered(8, 'etcdserver: mvcc: database space exceeded'), 'final'],
  ['too large', answered(3, 'etcdserver: request is too large'), 'final'],
  ['too many operations', answered(3, 'etcdserver: too many operations in txn request'), 'final'],
  ['not allowed', answered(7, 'etcdserver: permission denied'), 'final'],
  ['compacted', answered(11, 'etcdserver: mvcc: required revision has been compacted'), 'final'],
];
for (const [name, error, expected] of outcomes) {
  test(`${name}: ${expected}`, () => {
    assert.equal(outcomeOf(error), expected);
  });
}

test('a full datastore says what to do', () => {
  const { code, message } = refused(answered(8, 'etcdserver: mvcc: database space exceeded'), 'https://a:2379');
  assert.equal(code, 'full');
  assert.match(message, /^etcdserver: mvcc: database space exceeded: .*etcdctl alarm disarm$/);
});

const endpoint = (host: string, port: number, tls: boolean) => ({ host, port, tls });
const good: [string, ReturnType<typeof endpoint>[]][] = [
  ['https://a:2379', [endpoint('a', 2379, true)]],
  ['https://a, https://b:443/', [endpoint('a', 2379, true), endpoint('b', 443, true)]],
  ['https://[fd00::1]:2379', [endpoint('fd00::1', 2379, true)]],
  [
    'http://127.0.0.1:2379,http://localhost,http://[::1]:80',
    [endpoint('127.0.0.1', 2379, false), endpoint('localhost', 2379, false), endpoint('::1', 80, false)],
  ],
];
for (const [text, expected] of good) {
  test(`endpoints ${text}`, () => {
    assert.deepEqual(parseEndpoints(text), expected);
  });
}
const bad: [string, RegExp][] = [
  ['', /not an etcd endpoint/],
  ['a:2379', /not an etcd endpoint/],
  ['https://a/v3', /not an etcd endpoint/],
  ['https://user@a', /not an etcd endpoint/],
  ['http://10.0.0.1:2379', /would carry every Secret in the clear/],
  ['http://127.0.0.1.example.org:2379', /in the clear/],
  ['http://127.0.0.1,https://a', /mixes http and https/],
];
for (const [text, expected] of bad) {
  test(`not endpoints: ${text}`, () => {
    assert.throws(() => parseEndpoints(text), expected);
  });
}
