/** What scripts/in-uml promises to those whose tests run in it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { describe, it } from 'node:test';
import { exec, HostError } from '../src/host/exec.ts';
import { requireOuterNamespace } from './support/outer-namespace.ts';

// elsewhere what must be refused here would be done
requireOuterNamespace();

describe('a command under User-Mode Linux', () => {
  it('is root in a network of its own', () => {
    assert.equal(process.getuid?.(), 0);
    const links = readFileSync('/proc/self/net/dev', 'utf8').matchAll(/^\s*(\S+):/gm);
    assert.deepEqual(
      [...links].map(([, name]) => name),
      ['lo'],
    );
  });

  it('has the kernel that IPVS needs, with what it loads on demand', async () => {
    assert.match(release(), /^6\.1\./);
    assert.ok(existsSync('/proc/net/ip_vs'));
    await exec('ipvsadm', ['-A', '-t', '10.0.0.1:80', '-s', 'mh']);
    await exec('ipvsadm', ['-C']);
    await exec('ip', ['link', 'add', 'probe0', 'type', 'dummy']);
    await exec('ip', ['link', 'delete', 'probe0']);
    await exec('ipset', ['create', 'probe', 'hash:ip,port,net', 'family', 'inet6']);
    await exec('ip6tables-legacy', ['-A', 'OUTPUT', '-m', 'set', '--match-set', 'probe', 'src,dst,dst']);
    await exec('ip6tables-legacy', ['-F', 'OUTPUT']);
    await exec('ipset', ['destroy', 'probe']);
  });

  it('can run programs with threads and wide registers', async () => {
    // two threads that compare large buffers at the same time: what is not kept of their registers shows as a difference
    const code = `
      const { Worker, isMainThread } = require('node:worker_threads');
      if (isMainThread) new Worker(__filename);
      const a = Buffer.alloc(4096, isMainThread ? 1 : 2), b = Buffer.from(a);
      for (let round = 0; round < 200_000; round++) if (!a.equals(b) || a.indexOf(3) !== -1) throw new Error('registers were mixed up');
    `;
    const { writeFile, rm } = await import('node:fs/promises');
    const file = `/tmp/uml-registers-${String(process.pid)}.cjs`;
    await writeFile(file, code);
    await exec(process.execPath, [file]);
    await rm(file);
  });

  it('cannot write to the machine beyond the checkout and /tmp', async () => {
    await assert.rejects(exec('touch', ['/usr/should-not-be-there']), (error) => error instanceof HostError);
    assert.equal(existsSync('/usr/should-not-be-there'), false);
  });
});
