import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatusError } from '../../test/support/status-error.ts';
import { parsePath } from './routes.ts';
import { ServedKinds } from './served-kinds.ts';

const kinds = new ServedKinds();

const rows: [method: string, url: string, expected: string][] = [
  ['GET', '/api/v1/pods', 'list pods'],
  ['GET', '/api/v1/pods?watch=true', 'watch pods'],
  ['GET', '/api/v1/pods?watch=True', 'watch pods'],
  ['GET', '/api/v1/pods?watch', 'watch pods'],
  ['GET', '/api/v1/pods?watch=0', 'list pods'],
  ['GET', '/api/v1/pods?watch=False', 'list pods'],
  ['GET', '/api/v1/watch/pods', 'watch pods'],
  ['GET', '/apis/apps/v1/watch/namespaces/x/deployments/a', 'watch deployments in x a'],
  ['OPTIONS', '/api/v1/pods', 'connect pods'],
  ['GET', '/api/v1/namespaces', 'list namespaces'],
  ['GET', '/api/v1/namespaces/kube-system', 'get namespaces kube-system'],
  ['PUT', '/api/v1/namespaces/x/finalize', 'update namespaces x finalize'],
  ['PATCH', '/api/v1/namespaces/x/status', 'patch namespaces x status'],
  ['GET', '/api/v1/namespaces/x/pods', 'list pods in x'],
  ['POST', '/api/v1/namespaces/x/pods', 'create pods in x'],
  ['DELETE', '/api/v1/namespaces/x/pods', 'deletecollection pods in x'],
  ['DELETE', '/api/v1/namespaces/x/pods/a', 'delete pods in x a'],
  ['POST', '/api/v1/namespaces/x/pods/a/binding', 'create pods in x a binding'],
  ['GET', '/api/v1/namespaces/x/pods/a/log', 'get pods in x a log'],
  ['POST', '/api/v1/namespaces/x/pods/a/exec', 'connect pods in x a exec'],
  ['GET', '/api/v1/namespaces/x/services/a:80/proxy/b/c', 'connect services in x a:80 proxy rest b/c'],
  ['GET', '/api/v1/namespaces/x/pods/a/ex%65c?watch=true', 'connect pods in x a exec'],
  ['GET', '/api/v1/namespaces/x/pods/a/log?watch=true', 'get pods in x a log'],
  ['GET', '/apis/apps/v1/namespaces/x/deployments/a/scale', 'get deployments in x a scale'],
  ['GET', '/apis/apps/v1/deployments', 'list deployments'],
  ['GET', '/apis/example.com/v1/things', 'list things unknown'],
  ['GET', '/api', 'path'],
  ['GET', '/apis/apps/v1', 'path'],
  ['GET', '/version', 'path'],
  ['GET', '/', 'path'],
];

for (const [method, url, expected] of rows) {
  test(`${method} ${url} means: ${expected}`, () => {
    const [path = '', query = ''] = url.split('?');
    const info = parsePath(method, path, new URLSearchParams(query), kinds);
    if (info.type === 'path') {
      assert.equal('path', expected);
      return;
    }
    const { verb, resource, namespace, name, subresource, rest, kind } = info;
    const words = [verb, resource, namespace && `in ${namespace}`, name, subresource, rest && `rest ${rest}`];
    assert.equal([...words, kind ? '' : 'unknown'].filter(Boolean).join(' '), expected);
  });
}

test('a slash or bad percent-encoding inside a segment is refused', () => {
  for (const path of ['/api/v1/namespaces/a%2Fb/pods', '/api/v1/namespaces/a/pods/%zz', '/api/v1/pods/a%2f..']) {
    assert.throws(() => parsePath('GET', path, new URLSearchParams(), kinds), isStatusError(400, 'BadRequest'));
  }
});
