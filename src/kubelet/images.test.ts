import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Core, Pod } from '../api/types.ts';
import { CriError, type Image, type RegistryAuth } from '../host/cri/cri.ts';
import { FakeClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { createImageManager } from './images.ts';
import { ImageError } from './parts.ts';
import { parseLogins, pullCredentials } from './pull-credentials.ts';
import { parseImageReference } from './image-reference.ts';
import { hasDefaultRoute, hasDefaultRoute6, isNearby, registryAddress } from './registry-reach.ts';
import { parseStarters, STARTERS_FILE } from './starters.ts';

const nginx = 'docker.io/library/nginx:latest';

/** A node's runtime, the registries it can reach, and the starters in its directory. */
function setUp(
  t: TestContext,
  world: { present?: string[]; route?: boolean; answers?: boolean; registry?: string[]; gate?: Promise<void> } = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'images-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const starters = [
    { name: 'pause', file: 'pause.tar', images: ['fairway.local/pause:1'], anyTag: false, preload: true },
    { name: 'nginx', file: 'nginx.tar', images: [nginx], anyTag: true, preload: true },
    { name: 'dig', file: 'dig.tar', images: ['docker.io/xianchao/dig:latest'], anyTag: false, preload: false },
  ];
  writeFileSync(join(directory, STARTERS_FILE), JSON.stringify({ starters }));
  const images = new Map<string, Image>();
  const add = (name: string) =>
    images.set(name, { id: `sha256:${name}`, repoTags: [name], repoDigests: [], size: 7, username: '' });
  for (const name of world.present ?? []) add(name);
  const registry = new Set(world.registry ?? []);
  const pulls: [name: string, auth: RegistryAuth | undefined][] = [];
  const imports: string[] = [];
  const events: string[] = [];
  const clock = new FakeClock(1_000_000);
  const manager = createImageManager({
    clock,
    log: silentLog,
    startersDir: directory,
    event: (_pod, type, reason, message, container) => events.push(`${type} ${reason} ${container ?? ''}: ${message}`),
    objects: { secret: () => Promise.resolve(undefined) },
    reach: {
      hasRoute: () => Promise.resolve(world.route ?? false),
      answers: () => Promise.resolve(world.answers ?? false),
    },
    cri: {
      imageStatus: (name) => Promise.resolve(images.get(name)),
      pullImage: async (name, auth) => {
        pulls.push([name, auth]);
        await world.gate;
        if (!registry.has(name))
          throw new CriError('PullImage', 'NotFound', `failed to resolve reference "${name}": not found`);
        add(name);
        return name;
      },
    },
    ctr: {
      importImage: (file) => {
        imports.push(file.slice(directory.length + 1));
        const starter = starters.find((one) => file.endsWith(one.file));
        for (const name of starter?.images ?? []) add(name);
        return Promise.resolve([...(starter?.images ?? [])]);
      },
      tagImage: (_image, name) => {
        add(name);
        return Promise.resolve();
      },
    },
  });
  const ensure = (image: string, imagePullPolicy?: string, uid = 'u') => {
    const pod: Pod = { metadata: { name: 'p', namespace: 'n', uid }, spec: { containers: [] } };
    const container: Core.Container = { name: 'c', image, ...(imagePullPolicy !== undefined && { imagePullPolicy }) };
    return manager.ensure(pod, container);
  };
  return { manager, ensure, clock, events, pulls, imports, registry };
}

test('a present image is used, whatever way its name is spelled', async (t) => {
  const { ensure, events } = setUp(t, { present: [nginx] });
  assert.equal(await ensure('nginx', 'IfNotPresent'), `sha256:${nginx}`);
  assert.equal(await ensure('docker.io/nginx', 'Never'), `sha256:${nginx}`);
  assert.equal(events[0], 'Normal Pulled c: Container image "nginx" already present on machine');
});

test('a registry that answers is asked, also when there is a starter', async (t) => {
  const { ensure, events, pulls, imports } = setUp(t, { route: true, answers: true, registry: [nginx] });
  assert.equal(await ensure('nginx'), `sha256:${nginx}`);
  assert.deepEqual(pulls, [[nginx, undefined]]);
  assert.deepEqual(imports, []);
  assert.deepEqual(events, [
    'Normal Pulling c: Pulling image "nginx"',
    'Normal Pulled c: Successfully pulled image "nginx" in 0.000s (0.000s including waiting). Image size: 7 bytes.',
  ]);
});

test('without a way out the starter is imported, and nothing is asked of a registry', async (t) => {
  const { ensure, events, pulls, imports } = setUp(t);
  assert.equal(await ensure('nginx'), `sha256:${nginx}`);
  assert.deepEqual([pulls, imports], [[], ['nginx.tar']]);
  assert.deepEqual(events, [
    'Normal Pulled c: No registry can be reached: imported the starter image for "nginx" in 0.000s',
  ]);
});

test('a starter stands in for another tag under that name, where it says so', async (t) => {
  const { ensure, imports } = setUp(t);
  assert.equal(await ensure('nginx:1.14.2'), 'sha256:docker.io/library/nginx:1.14.2');
  await ensure('nginx:1.16.1');
  assert.deepEqual(imports, ['nginx.tar']);
  await assert.rejects(ensure('xianchao/dig:v2'), { name: 'ImageError', reason: 'ErrImagePull' });
});

test('without a way out a registry nearby is asked all the same, where it answers', async (t) => {
  const near = setUp(t, { answers: true, registry: ['172.30.0.1:5000/own:1'] });
  assert.equal(await near.ensure('172.30.0.1:5000/own:1'), 'sha256:172.30.0.1:5000/own:1');
  const table: [registry: string, expected: boolean][] = [
    ['docker.io', false],
    ['registry.example', false],
    ['localhost', true],
    ['192.0.2.1', true],
    ['registry.example:5000', true],
    ['[fd00::1]:5000', true],
  ];
  for (const [registry, expected] of table) assert.equal(isNearby(registry), expected, registry);
});

test('a registry that does not answer, or does not have it, leaves what is here', async (t) => {
  const silent = setUp(t, { route: true, answers: false });
  await silent.ensure('nginx');
  assert.deepEqual([silent.pulls, silent.imports], [[], ['nginx.tar']]);
  const lacking = setUp(t, { route: true, answers: true, present: ['docker.io/library/own:latest'] });
  assert.equal(await lacking.ensure('own'), 'sha256:docker.io/library/own:latest');
  assert.equal(lacking.pulls.length, 1);
});

test('pods that want the same image at once share one pull and one import', async (t) => {
  const gate = Promise.withResolvers<void>();
  const pulling = setUp(t, { route: true, answers: true, registry: [nginx], gate: gate.promise });
  const all = ['a', 'b', 'c'].map((uid) => pulling.ensure('nginx', 'Always', uid));
  while (pulling.events.length < 3) await new Promise((resolve) => setImmediate(resolve));
  gate.resolve();
  await Promise.all(all);
  assert.equal(pulling.pulls.length, 1);
  const importing = setUp(t);
  await Promise.all(['a', 'b', 'c'].map((uid) => importing.ensure('nginx', 'Always', uid)));
  assert.equal(importing.imports.length, 1);
});

test('a failed pull backs off from 10 s to 300 s, and is told once for each wait', async (t) => {
  const { ensure, clock, events, pulls, registry } = setUp(t, { route: true });
  const failure = async () =>
    ensure('absent').then(
      () => assert.fail('it is not there'),
      (error: unknown) => (error instanceof ImageError ? error : assert.fail(String(error))),
    );
  const first = await failure();
  assert.equal(first.reason, 'ErrImagePull');
  assert.match(first.message, /failed to resolve reference "docker\.io\/library\/absent:latest": not found/);
  assert.deepEqual(events.slice(1), [
    'Warning Failed c: Failed to pull image "absent": failed to resolve reference "docker.io/library/absent:latest": not found',
    'Warning Failed c: Error: ErrImagePull',
  ]);
  events.length = 0;
  for (let i = 0; i < 3; i++) assert.equal((await failure()).reason, 'ImagePullBackOff');
  assert.deepEqual(events, [
    'Normal BackOff c: Back-off pulling image "absent"',
    'Warning Failed c: Error: ImagePullBackOff',
  ]);
  assert.equal(pulls.length, 1);
  for (const delay of [10, 20, 40, 80, 160, 300, 300]) {
    clock.advance(delay * 1000 - 1);
    assert.equal((await failure()).reason, 'ImagePullBackOff', `${delay} s`);
    clock.advance(1);
    assert.equal((await failure()).reason, 'ErrImagePull', `${delay} s`);
  }
  registry.add('docker.io/library/absent:latest');
  clock.advance(300_000);
  await ensure('absent');
});

test('the ways to fail without a pull say what to do', async (t) => {
  const { ensure, events } = setUp(t);
  await assert.rejects(ensure('Not A Name'), { reason: 'InvalidImageName', message: /invalid reference format/ });
  await assert.rejects(ensure('absent', 'Never'), {
    reason: 'ErrImageNeverPull',
    message: 'Container image "absent" is not present with pull policy of Never',
  });
  events.length = 0;
  await assert.rejects(ensure('absent'), {
    reason: 'ErrImagePull',
    message:
      'no registry can be reached from this node (it has no default route) and there is no starter image of that name; load the image with: fairway image load FILE.tar',
  });
});

test('the sandbox image is imported first, the others that are asked for most after it', async (t) => {
  const { manager, imports } = setUp(t);
  await manager.importSandbox();
  await manager.importSandbox();
  assert.deepEqual(imports, ['pause.tar']);
  await manager.preload();
  assert.deepEqual(imports, ['pause.tar', 'nginx.tar']);
});

test('a list of starters that is damaged is refused with a reason', () => {
  assert.throws(() => parseStarters('{}'), /has no list of starters/);
  assert.throws(() => parseStarters('{"starters":[{"name":"a","file":"../a","images":[]}]}'), /plain file name/);
});

test('logins of pull secrets fit by registry and path, the closest first', async () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
  const auth = Buffer.from('anna:pass:word').toString('base64');
  const config = encode({
    auths: {
      'https://index.docker.io/v1/': { auth },
      'registry.example': { username: 'all', password: '1' },
      'registry.example/team': { username: 'team', password: '2' },
      'other.example': { username: 'no', password: '3' },
    },
  });
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'n' },
    spec: { containers: [], imagePullSecrets: [{ name: 'logins' }, { name: 'absent' }] },
  };
  const objects = {
    secret: (_: string, name: string) =>
      Promise.resolve(name === 'logins' ? { metadata: { name }, data: { '.dockerconfigjson': config } } : undefined),
  };
  const usersFor = async (image: string) =>
    (await pullCredentials(pod, parseImageReference(image) ?? assert.fail(image), objects)).map(
      ({ username, password }) => `${String(username)}/${String(password)}`,
    );
  assert.deepEqual(await usersFor('nginx'), ['anna/pass:word']);
  assert.deepEqual(await usersFor('registry.example/team/app'), ['team/2', 'all/1']);
  assert.deepEqual(await usersFor('registry.example/teams/app'), ['all/1']);
  assert.deepEqual(parseLogins({ '.dockerconfigjson': 'bm8=' }), {});
  assert.deepEqual(parseLogins({ '.dockercfg': encode({ a: { auth } }) }), { a: { auth } });
});

test('a default route is found in the kernel’s tables', () => {
  const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n';
  const lan = 'eth0\t00001EAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';
  assert.equal(hasDefaultRoute(head + lan), false);
  assert.equal(hasDefaultRoute(`${head}${lan}eth0\t00000000\t01001EAC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`), true);
  assert.equal(hasDefaultRoute(`${head}eth0\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n`), false);
  const zero = '0'.repeat(32);
  const six = (flags: string, device: string) =>
    `${zero} 00 ${zero} 00 ${zero} 00000400 00000001 00000000 ${flags} ${device}\n`;
  assert.equal(hasDefaultRoute6(six('00000003', 'eth0')), true);
  assert.equal(hasDefaultRoute6(six('00200200', 'lo')), false);
});

test('a registry is reached at its host and port', () => {
  assert.deepEqual(registryAddress('docker.io'), { host: 'registry-1.docker.io', port: 443 });
  assert.deepEqual(registryAddress('localhost:5000'), { host: 'localhost', port: 5000 });
  assert.deepEqual(registryAddress('[fd00::1]:5000'), { host: 'fd00::1', port: 5000 });
});
