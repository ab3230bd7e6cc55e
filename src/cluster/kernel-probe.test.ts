import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError, type Exec } from '../host/exec.ts';
import { FEATURES, MODE_FEATURES, probeKernel } from './kernel-probe.ts';

/** A machine on which commands that contain `missing` fail; notes what ran. */
function machine(missing?: string): { run: Exec; ran: string[] } {
  const ran: string[] = [];
  return {
    ran,
    run: (file, args, options) => {
      const line = [file, ...args, options?.input ?? ''].join(' ');
      ran.push(line);
      if (missing !== undefined && line.includes(missing))
        return Promise.reject(new HostError([file], 'exit code 2', 2, 'Error: No such device.\nmore'));
      return Promise.resolve({ stdout: '', stderr: '' });
    },
  };
}

test('a kernel that has everything draws no complaint, and the probe leaves nothing', async () => {
  const { run, ran } = machine();
  assert.equal(await probeKernel('fairway-a-probe', {}, ['iptables'], run), undefined);
  assert.equal(ran.length, FEATURES.length + 2);
  assert.match(ran.at(-1) ?? '', /^ip netns delete fairway-a-probe/);
});

for (const { what, options, modules, command, input } of [
  ...FEATURES,
  ...MODE_FEATURES.nftables,
  ...MODE_FEATURES.ipvs,
]) {
  test(`without ${what} one line names the option and the module`, async () => {
    const { run, ran } = machine(input ?? command.join(' '));
    assert.equal(
      await probeKernel('p', {}, ['nftables', 'ipvs'], run),
      `the kernel has no ${what} (${options}): No such device; run: modprobe ${modules}, or use a kernel built with it`,
    );
    assert.match(ran.at(-1) ?? '', /^ip netns delete p/, 'cleaned up all the same');
  });
}

test('without network namespaces there is nothing to clean up', async () => {
  const { run, ran } = machine('netns add');
  assert.match((await probeKernel('p', {}, ['nftables'], run)) ?? '', /no network namespaces \(CONFIG_NET_NS\)/);
  assert.equal(ran.length, 1);
});
