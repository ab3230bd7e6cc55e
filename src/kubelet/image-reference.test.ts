import { test } from 'node:test';
import assert from 'node:assert/strict';
import { defaultPullPolicy, formatImageReference, parseImageReference } from './image-reference.ts';

const digest = `sha256:${'0a'.repeat(32)}`;
const full: [string, string | undefined][] = [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.14.2', 'docker.io/library/nginx:1.14.2'],
  ['library/nginx', 'docker.io/library/nginx:latest'],
  ['docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['index.docker.io/library/nginx', 'docker.io/library/nginx:latest'],
  ['xianchao/dig:latest', 'docker.io/xianchao/dig:latest'],
  ['k8s.gcr.io/serve_hostname', 'k8s.gcr.io/serve_hostname:latest'],
  ['registry.example:5000/a/b:v1', 'registry.example:5000/a/b:v1'],
  ['localhost/a', 'localhost/a:latest'],
  ['[fd00::1]:5000/a', '[fd00::1]:5000/a:latest'],
  [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
  [`nginx:1.2@${digest}`, `docker.io/library/nginx@${digest}`],
  ['', undefined],
  ['Nginx', undefined],
  ['nginx:', undefined],
  ['nginx:a b', undefined],
  ['nginx@sha256:00', undefined],
  ['a//b', undefined],
  ['../etc/passwd', undefined],
  ['-a', undefined],
  [`${'a'.repeat(256)}`, undefined],
];

for (const [text, expected] of full) {
  test(`image name ${JSON.stringify(text.slice(0, 40))} is ${expected ?? 'refused'}`, () => {
    const reference = parseImageReference(text);
    assert.equal(reference && formatImageReference(reference), expected);
  });
}

test('the pull policy is Always for latest only', () => {
  const policy = (text: string) => defaultPullPolicy(parseImageReference(text) ?? assert.fail(text));
  assert.equal(policy('nginx'), 'Always');
  assert.equal(policy('nginx:latest'), 'Always');
  assert.equal(policy('nginx:1'), 'IfNotPresent');
  assert.equal(policy(`nginx@${digest}`), 'IfNotPresent');
});
