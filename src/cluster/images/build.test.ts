import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Exec } from '../../host/exec.ts';
import { findStarter, parseStarters, STARTERS_FILE } from '../../kubelet/starters.ts';
import { buildStarters } from './build.ts';
import { CATALOGUE, type StarterDefinition } from './catalogue.ts';
import { parseLdd } from './libraries.ts';

const run: Exec = (file, args) => {
  if (file === 'ldd') return Promise.resolve({ stdout: '\tstatically linked\n', stderr: '' });
  if (file === 'dpkg-query') return Promise.resolve({ stdout: 'tool 1.2 installed\nother 3 installed\n', stderr: '' });
  return Promise.reject(new Error(`unexpected: ${file} ${args.join(' ')}`));
};

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'starters-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const program = join(directory, 'program');
  writeFileSync(program, 'the program');
  const definition: StarterDefinition = {
    name: 'tool',
    images: ['docker.io/library/tool:latest'],
    anyTag: true,
    preload: false,
    packages: ['tool', 'absent'],
    programs: [program],
    busybox: false,
    files: { 'etc/a': 'text', 'run.sh': { executable: '#!/bin/sh\n' } },
    cmd: ['/tool'],
  };
  return { directory, program, definition, out: join(directory, 'out') };
}

function extract(archive: string, path: string): string {
  const { status, stdout } = spawnSync('tar', ['-xOf', archive, path]);
  assert.equal(status, 0);
  return stdout.toString();
}

test('a starter is an OCI layout that carries its marks, its files and its names', async (t) => {
  const { directory, program, definition, out } = setUp(t);
  const [report] = await buildStarters(out, { run, catalogue: [definition] });
  assert.ok(report?.built);
  assert.deepEqual(report.starter.packages, { tool: '1.2' });
  const archive = join(out, 'tool.tar');
  const index = JSON.parse(extract(archive, 'index.json'));
  assert.equal(index.manifests[0].annotations['io.containerd.image.name'], 'docker.io/library/tool:latest');
  const blob = (digest: string) => `blobs/${digest.replace(':', '/')}`;
  const manifest = JSON.parse(extract(archive, blob(index.manifests[0].digest)));
  assert.equal(manifest.annotations['io.fairway.starter'], 'true');
  const config = JSON.parse(extract(archive, blob(manifest.config.digest)));
  assert.equal(config.config.Labels['io.fairway.starter'], 'true');
  assert.deepEqual(config.config.Cmd, ['/tool']);
  const layer = join(directory, 'layer.tar');
  writeFileSync(layer, spawnSync('tar', ['-xOf', archive, blob(manifest.layers[0].digest)]).stdout);
  assert.match(extract(layer, 'etc/fairway-starter'), /starter image of Fairway, called tool.*\n.*\n {2}tool 1\.2\n/s);
  assert.equal(extract(layer, program.slice(1)), 'the program');
});

test('what is up to date is not built again; a changed source or definition or a lost archive is', async (t) => {
  const { program, definition, out } = setUp(t);
  const built = async (changed = definition) => {
    const reports = await buildStarters(out, { run, catalogue: [changed] });
    return reports.map((report) => report.built);
  };
  assert.deepEqual(await built(), [true]);
  const digest = () => JSON.parse(readFileSync(join(out, STARTERS_FILE), 'utf8')).starters[0].digest;
  const first = digest();
  assert.deepEqual(await built(), [false]);
  appendFileSync(program, ', longer');
  assert.deepEqual(await built(), [true]);
  assert.notEqual(digest(), first);
  assert.deepEqual(await built({ ...definition, cmd: ['/other'] }), [true]);
  assert.deepEqual(await built({ ...definition, cmd: ['/other'] }), [false]);
  rmSync(join(out, 'tool.tar'));
  assert.deepEqual(await built({ ...definition, cmd: ['/other'] }), [true]);
});

test('a missing program names its package, and the other starters are built all the same', async (t) => {
  const { definition, out } = setUp(t);
  const broken = { ...definition, name: 'broken', programs: ['/nowhere/program'] };
  await assert.rejects(buildStarters(out, { run, catalogue: [broken, definition] }), {
    name: 'StarterError',
    message: 'the starter image broken needs /nowhere/program: install the package tool (apt-get install tool)',
  });
  const starters = parseStarters(readFileSync(join(out, STARTERS_FILE), 'utf8'));
  assert.deepEqual(
    starters.map(({ name, file, anyTag }) => [name, file, anyTag]),
    [['tool', 'tool.tar', true]],
  );
});

test('an unknown name is answered with the known ones', async (t) => {
  const { definition, out } = setUp(t);
  await assert.rejects(buildStarters(out, { run, names: ['redis'], catalogue: [definition] }), {
    message: 'no starter image is called redis; there are: tool',
  });
});

test('ldd output is read: libraries, the loader, and what is missing', () => {
  const output = `/usr/sbin/a:
\tlinux-vdso.so.1 (0x00007ffc1d9f2000)
\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f2a)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f2b)
/usr/bin/b:
\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f2a)
`;
  assert.deepEqual(parseLdd(output), ['/lib/x86_64-linux-gnu/libz.so.1', '/lib64/ld-linux-x86-64.so.2']);
  assert.throws(() => parseLdd('\tlibq.so.3 => not found\n'), /shared library libq\.so\.3 is not installed/);
});

const standIns: [image: string, expected: string | undefined][] = [
  ['nginx', 'nginx'],
  ['nginx:1.14.2', 'nginx'],
  ['docker.io/library/nginx:alpine', 'nginx'],
  ['busybox:1.36', 'busybox'],
  ['k8s.gcr.io/serve_hostname', 'serve_hostname'],
  ['registry.k8s.io/serve_hostname', 'serve_hostname'],
  ['mariadb:11', 'mysql-client'],
  ['fairway.local/pause:1', 'pause'],
  ['fairway.local/pause:2', undefined],
  ['nginx/nginx-ingress', undefined],
  ['quay.io/nginx', undefined],
  [`nginx@sha256:${'ab'.repeat(32)}`, undefined],
];
for (const [image, expected] of standIns) {
  test(`${image.slice(0, 40)} is answered by ${expected ?? 'no starter'}`, () => {
    const starters = CATALOGUE.map((definition) => ({ ...definition, file: `${definition.name}.tar` }));
    assert.equal(findStarter(starters, image)?.starter.name, expected);
  });
}
