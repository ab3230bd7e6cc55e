import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Core, KubeObject, Pod } from '../../api/types.ts';
import type { Client } from '../../client/client.ts';
import type { Exec } from '../../host/exec.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { createVolumeManager } from './manager.ts';
import { safePath } from './payload.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const context = { nodeName: 'node01', hostIPs: ['172.30.0.11'], podIPs: ['10.244.0.5'], allocatable: { cpu: '2' } };

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'volumes-'));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const configMaps: Record<string, { data?: Record<string, string>; binaryData?: Record<string, string> }> = {
    site: { data: { 'index.html': 'hello', mode: 'x' }, binaryData: { raw: base64('\u0001') } },
  };
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const commands: string[][] = [];
  const run: Exec = (file, args) => {
    commands.push([file, ...args]);
    return Promise.resolve({ stdout: '', stderr: '' });
  };
  const requests: { account: string; spec: Record<string, unknown> }[] = [];
  const client: Pick<Client, 'create'> = {
    create: <T extends KubeObject>(_kind: unknown, object: T) => {
      const { metadata, spec } = object as T & { spec: Record<string, unknown> };
      requests.push({ account: metadata.name, spec });
      const expirationTimestamp = new Date(clock.now() + Number(spec['expirationSeconds']) * 1000).toISOString();
      return Promise.resolve({ ...object, status: { token: `token-${requests.length}`, expirationTimestamp } });
    },
  };
  const manager = createVolumeManager({
    directory: join(directory, 'volumes'),
    client,
    clock,
    run,
    log: silentLog,
    objects: {
      configMap: (_, name) => {
        const found = configMaps[name];
        return Promise.resolve(found && { metadata: { name }, ...found });
      },
      secret: (_, name) =>
        Promise.resolve(name === 'login' ? { metadata: { name }, data: { password: base64('s3cret') } } : undefined),
    },
  });
  const pod = (volumes: Core.Volume[], spec: Partial<Core.PodSpec> = {}): Pod => ({
    metadata: { name: 'web', namespace: 'shop', uid: 'uid-1', labels: { app: 'web', tier: 'front' } },
    spec: { containers: [{ name: 'c' }], volumes, ...spec },
  });
  const mount = async (volume: Core.Volume) => {
    const paths = await manager.mountAll(pod([volume]), context);
    return paths.get(volume.name) ?? '';
  };
  return { directory, manager, mount, pod, commands, requests, configMaps, clock };
}

const visible = (path: string) => readdirSync(path).filter((name) => !name.startsWith('..'));
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

test('a configMap becomes files, read through one link', async (t) => {
  const { mount } = setUp(t);
  const path = await mount({ name: 'v', configMap: { name: 'site' } });
  assert.deepEqual(visible(path), ['index.html', 'mode', 'raw']);
  assert.equal(readFileSync(join(path, 'index.html'), 'utf8'), 'hello');
  assert.equal(readFileSync(join(path, 'raw'), 'utf8'), '\u0001');
  assert.equal(mode(join(path, 'index.html')), '644');
  assert.equal(readlinkSync(join(path, 'index.html')), '..data/index.html');
  assert.ok(lstatSync(join(path, '..data')).isSymbolicLink());
});

test('items choose keys, paths and modes', async (t) => {
  const { mount } = setUp(t);
  const items = [
    { key: 'index.html', path: 'pages/home.html', mode: 0o400 },
    { key: 'mode', path: 'm' },
  ];
  const path = await mount({ name: 'v', configMap: { name: 'site', defaultMode: 0o440, items } });
  assert.deepEqual(visible(path), ['m', 'pages']);
  assert.equal(mode(join(path, 'pages/home.html')), '400');
  assert.equal(mode(join(path, 'm')), '440');
});

test('a changed configMap is swapped in whole: old and new names never mix, and nothing old is left behind', async (t) => {
  const { manager, mount, pod, configMaps } = setUp(t);
  const volume = { name: 'v', configMap: { name: 'site' } };
  const path = await mount(volume);
  const before = readlinkSync(join(path, '..data'));
  await manager.refresh(pod([volume]), context);
  assert.equal(readlinkSync(join(path, '..data')), before, 'nothing changed, nothing is written');
  configMaps['site'] = { data: { 'index.html': 'new', extra: '1' } };
  await manager.refresh(pod([volume]), context);
  assert.deepEqual(visible(path), ['extra', 'index.html']);
  assert.equal(readFileSync(join(path, 'index.html'), 'utf8'), 'new');
  assert.deepEqual(
    readdirSync(path)
      .filter((name) => name.startsWith('..'))
      .sort(),
    [readlinkSync(join(path, '..data')), '..data'].sort(),
  );
});

test('a secret lies in the node’s folder in memory, which is mounted once', async (t) => {
  const { directory, manager, pod, commands } = setUp(t);
  const volumes = [
    { name: 'a', secret: { secretName: 'login' } },
    { name: 'b', secret: { secretName: 'login', defaultMode: 0o400 } },
  ];
  const paths = await manager.mountAll(pod(volumes), context);
  const path = paths.get('b') ?? '';
  assert.ok(path.startsWith(join(directory, 'volumes/.memory/uid-1')));
  assert.equal(readFileSync(join(path, 'password'), 'utf8'), 's3cret');
  assert.equal(mode(join(path, 'password')), '400');
  const mounts = commands.filter(([file]) => file === 'mount');
  const isMemoryAlready = mounts.length === 0;
  if (!isMemoryAlready)
    assert.deepEqual(
      mounts.map((command) => command.at(-1)),
      [join(directory, 'volumes/.memory')],
    );
});

test('a projected volume joins its sources, and its token is renewed at 80 % of its life', async (t) => {
  const { manager, mount, pod, requests, clock } = setUp(t);
  const volume: Core.Volume = {
    name: 'kube-api-access',
    projected: {
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
        { configMap: { name: 'site', items: [{ key: 'index.html', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  };
  const path = await mount(volume);
  assert.deepEqual(visible(path), ['ca.crt', 'namespace', 'token']);
  assert.equal(readFileSync(join(path, 'namespace'), 'utf8'), 'shop');
  const token = () => readFileSync(join(path, 'token'), 'utf8');
  assert.equal(token(), 'token-1');
  assert.deepEqual(requests[0], {
    account: 'default',
    spec: {
      audiences: [],
      expirationSeconds: 3600,
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web', uid: 'uid-1' },
    },
  });
  clock.advance(2879_000);
  await manager.refresh(pod([volume]), context);
  assert.equal(token(), 'token-1');
  clock.advance(1_000);
  await manager.refresh(pod([volume]), context);
  assert.equal(token(), 'token-2');
});

test('the downward API writes labels as sorted lines', async (t) => {
  const { mount } = setUp(t);
  const items = [
    { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
    { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '1m' } },
  ];
  const path = await mount({ name: 'v', downwardAPI: { items } });
  assert.equal(readFileSync(join(path, 'labels'), 'utf8'), 'app="web"\ntier="front"');
  assert.equal(readFileSync(join(path, 'cpu'), 'utf8'), '2000');
});

test('an emptyDir is open to every user and keeps its files; in memory it is a file system of its own', async (t) => {
  const { mount, commands } = setUp(t);
  const path = await mount({ name: 'scratch', emptyDir: {} });
  assert.equal(mode(path), '777');
  writeFileSync(join(path, 'kept'), '');
  assert.equal(await mount({ name: 'scratch', emptyDir: {} }), path);
  assert.ok(existsSync(join(path, 'kept')));
  const memory = await mount({ name: 'fast', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } });
  assert.deepEqual(commands.at(-1), ['mount', '-t', 'tmpfs', '-o', 'mode=0777,size=8388608', 'tmpfs', memory]);
});

test('a hostPath is checked against its type', async (t) => {
  const { directory, mount } = setUp(t);
  const at = (name: string) => join(directory, name);
  writeFileSync(at('file'), '');
  mkdirSync(at('dir'));
  const check = (name: string, type?: string) =>
    mount({ name: 'h', hostPath: { path: at(name), ...(type !== undefined && { type }) } });
  assert.equal(await check('absent'), at('absent'));
  assert.ok(!existsSync(at('absent')));
  assert.equal(await check('file', 'File'), at('file'));
  assert.equal(await check('dir', 'Directory'), at('dir'));
  await check('new/dir', 'DirectoryOrCreate');
  assert.ok(statSync(at('new/dir')).isDirectory());
  await check('new-file', 'FileOrCreate');
  assert.ok(statSync(at('new-file')).isFile());
  const refused: [name: string, type: string, why: RegExp][] = [
    ['file', 'Directory', /hostPath type check failed: \S+ is not a directory/],
    ['file', 'DirectoryOrCreate', /cannot be created/],
    ['dir', 'File', /is not a file/],
    ['dir', 'FileOrCreate', /is not a file/],
    ['absent', 'File', /is not a file/],
    ['file', 'Socket', /is not a socket file/],
    ['file', 'CharDevice', /is not a character device/],
    ['file', 'BlockDevice', /is not a block device/],
    ['file', 'Nonsense', /type "Nonsense" is unknown/],
    ['../x/..', 'File', /./],
  ];
  for (const [name, type, why] of refused) await assert.rejects(check(name, type), why, `${name} ${type}`);
});

const refusals: [what: string, volume: Core.Volume, message: RegExp][] = [
  [
    'a missing configMap',
    { name: 'v', configMap: { name: 'no' } },
    /^MountVolume\.SetUp failed for volume "v" : configmap "no" not found$/,
  ],
  ['a missing secret', { name: 'v', secret: { secretName: 'no' } }, /secret "no" not found/],
  [
    'a missing key',
    { name: 'v', configMap: { name: 'site', items: [{ key: 'no', path: 'p' }] } },
    /references non-existent key: no/,
  ],
  [
    'a path that leads out',
    { name: 'v', configMap: { name: 'site', items: [{ key: 'mode', path: '../x' }] } },
    /invalid path "\.\.\/x"/,
  ],
  [
    'a claim',
    { name: 'v', persistentVolumeClaim: { claimName: 'data' } },
    /"data" cannot be mounted: this cluster has no volume provisioner/,
  ],
  ['another kind', { name: 'v', nfs: { server: 's', path: '/' } }, /volumes of type nfs are not supported/],
  ['an odd medium', { name: 'v', emptyDir: { medium: 'HugePages' } }, /medium "HugePages" is not supported/],
  ['a name that leads out', { name: '../v', emptyDir: {} }, /cannot be the name of a folder/],
];
for (const [what, volume, message] of refusals) {
  test(`${what} is refused with its reason`, async (t) => {
    const { mount } = setUp(t);
    await assert.rejects(mount(volume), (error: Error) => error.name === 'VolumeError' && message.test(error.message));
  });
}

test('optional sources may be missing', async (t) => {
  const { mount } = setUp(t);
  assert.deepEqual(visible(await mount({ name: 'v', configMap: { name: 'no', optional: true } })), []);
  const items = [
    { key: 'no', path: 'p' },
    { key: 'mode', path: 'm' },
  ];
  assert.deepEqual(visible(await mount({ name: 'w', configMap: { name: 'site', optional: true, items } })), ['m']);
});

test('clean-up removes all of a pod, is safe to repeat, and pods on disk are listed', async (t) => {
  const { directory, manager, pod } = setUp(t);
  const volumes = [
    { name: 'a', emptyDir: {} },
    { name: 's', secret: { secretName: 'login' } },
  ];
  await manager.mountAll(pod(volumes), context);
  assert.deepEqual(await manager.listPods(), ['uid-1']);
  await manager.cleanUp('uid-1');
  await manager.cleanUp('uid-1');
  assert.deepEqual(await manager.listPods(), []);
  assert.deepEqual(readdirSync(join(directory, 'volumes')), ['.memory']);
  await assert.rejects(manager.cleanUp('../..'), /cannot be the name of a folder/);
});

test('a subPath is bound from an open place, made where it may be, and never leads out of the volume', async (t) => {
  const { directory, manager, mount, commands } = setUp(t);
  const volumePath = await mount({ name: 'v', emptyDir: {} });
  const bind = (subPath: string, create = true) =>
    manager.subPath({ podUid: 'uid-1', volume: 'v', volumePath, container: 'c', index: 0, subPath, create });
  const target = await bind('new/deep');
  assert.ok(statSync(join(volumePath, 'new/deep')).isDirectory());
  assert.equal(mode(join(volumePath, 'new/deep')), '777');
  assert.ok(statSync(target).isDirectory());
  const command = commands.at(-1) ?? [];
  assert.deepEqual(command.slice(0, 3), ['mount', '--no-canonicalize', '--bind']);
  assert.match(command[3] ?? '', /^\/proc\/\d+\/fd\/\d+$/);
  assert.equal(command[4], target);
  writeFileSync(join(volumePath, 'file'), '');
  assert.ok(statSync(await bind('file')).isFile());
  symlinkSync('new', join(volumePath, 'inside'));
  await bind('inside/deep');
  symlinkSync(directory, join(volumePath, 'outside'));
  for (const [subPath, why] of [
    ['outside', /not within its volume/],
    ['outside/x', /not within its volume/],
    ['../x', /without "\.\."/],
    ['/etc', /relative path/],
  ] as const) {
    await assert.rejects(bind(subPath), why, subPath);
  }
  await assert.rejects(bind('absent', false), /ENOENT/);
});

test('a subPath of a configMap reaches the file behind its links', async (t) => {
  const { manager, mount } = setUp(t);
  const volumePath = await mount({ name: 'v', configMap: { name: 'site' } });
  const subPath = 'index.html';
  const target = await manager.subPath({
    podUid: 'uid-1',
    volume: 'v',
    volumePath,
    container: 'c',
    index: 1,
    subPath,
    create: false,
  });
  assert.ok(statSync(target).isFile());
});

for (const path of ['', '/', '.', '..', 'a/../b', '/a', '..hidden', 'a\0b']) {
  test(`${JSON.stringify(path)} is no path for a file of a volume`, () => {
    assert.throws(() => safePath(path), { name: 'VolumeError' });
  });
}
