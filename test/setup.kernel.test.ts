/** `scripts/setup` on machines that lack something, played by stand-ins for dpkg-query and apt-get on the PATH. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { must, run, type Result } from './support/cluster.ts';
import { requireOuterNamespace } from './support/outer-namespace.ts';

requireOuterNamespace();

const SETUP = join(import.meta.dirname, '..', 'scripts', 'setup');
const POLICY = '/usr/sbin/policy-rc.d';
const folder = mkdtempSync(join(tmpdir(), 'fw-setup-'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});
const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
const tool = (name: string, script: string) => {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
};
// A machine without containerd.
tool('dpkg-query', '[ "$4" = containerd ] || echo "ii "');

/** Runs `script` where /usr/sbin may be written to without a trace: an overlay in a mount namespace of this command alone. */
function onScratch(script: string): Result {
  const prepare = `mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work &&
    mount -t overlay -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work overlay /usr/sbin || exit 99
    rm -f ${POLICY}\n`;
  return run('unshare', ['--mount', 'sh', '-c', prepare + script, 'sh', SETUP], { env });
}

test('what is missing is named and installed, and no service is started meanwhile', () => {
  tool('apt-get', `echo "$*" >${folder}/asked; ${POLICY} >/dev/null; [ $? = 101 ]`);
  const result = onScratch(`"$1" && test ! -e ${POLICY} && cat ${folder}/asked`);
  assert.match(must(result), /^install -y --no-install-recommends containerd$/m);
  assert.match(result.stderr, /^setup: installing packages: containerd$/m);
});

test("a machine's own service policy stays", () => {
  tool('apt-get', 'true');
  assert.equal(must(onScratch(`echo mine >${POLICY}; "$1" && cat ${POLICY}`)), 'mine\n');
});

test('an interrupted installation leaves no service policy behind', () => {
  tool('apt-get', `touch ${folder}/started; kill -INT $PPID; sleep 0.2`);
  assert.match(must(onScratch(`"$1"; echo "code $?"; test ! -e ${POLICY}`)), /^code 130$/m);
  assert.ok(existsSync(join(folder, 'started')));
});

test('an installation that fails shows the words of apt-get and the names', () => {
  tool('apt-get', 'echo "E: no such thing"; exit 100');
  const result = onScratch(`"$1"; echo "code $?"; test ! -e ${POLICY}`);
  assert.match(must(result), /^code 1$/m);
  assert.match(result.stderr, /E: no such thing\nsetup: apt-get could not install: containerd\n$/);
});

test('without root it says what it needs and stops', () => {
  tool('apt-get', `touch ${folder}/called`);
  const plain = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  run('chmod', ['755', folder]);
  const result = run(plain[0] ?? '', [...plain.slice(1), SETUP], { env });
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /^setup: these packages are missing: containerd\nsetup: installing them needs root; run: sudo make setup\n$/,
  );
  assert.ok(!existsSync(join(folder, 'called')));
});
