import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HostError } from '../host/exec.ts';
import { FakeSysctl } from '../host/sysctl.ts';
import { silentLog } from '../lib/log.ts';
import type { BackendModule, ProxyMode } from './backend.ts';
import { cleanup } from './cleanup.ts';

const noBackend = () => Promise.reject(new Error('nothing is to be started'));
const exec = () => Promise.reject(new Error('nothing is to be run'));
const base = { log: silentLog, exec, sysctl: new FakeSysctl() };

function modules(overrides: Partial<Record<ProxyMode, Partial<BackendModule>>> = {}) {
  const module = (mode: ProxyMode): (() => Promise<BackendModule>) => {
    return () =>
      Promise.resolve({
        create: noBackend,
        cleanup: ({ family }) => Promise.resolve([`${mode} ${family}`]),
        ...overrides[mode],
      });
  };
  return {
    nftables: module('nftables'),
    iptables: module('iptables'),
    ipvs: module('ipvs'),
    userspace: module('userspace'),
  };
}

it('cleans all modes and both families', async () => {
  const { removed, failures } = await cleanup({ ...base, backends: modules() });
  const modes = ['nftables', 'iptables', 'ipvs', 'userspace'];
  assert.deepEqual(
    removed,
    modes.flatMap((mode) => [`${mode} IPv4`, `${mode} IPv6`]),
  );
  assert.deepEqual(failures, []);
});

it('beside a mode in force it cleans the others, but none that share chains with it', async () => {
  const left = async (inForce: ProxyMode) => {
    const { removed } = await cleanup({ ...base, inForce, backends: modules() });
    return new Set(removed.map((line) => line.split(' ')[0]));
  };
  assert.deepEqual(await left('nftables'), new Set(['iptables', 'ipvs', 'userspace']));
  assert.deepEqual(await left('iptables'), new Set(['nftables', 'userspace']));
  assert.deepEqual(await left('ipvs'), new Set(['nftables', 'userspace']));
  assert.deepEqual(await left('userspace'), new Set(['nftables', 'iptables', 'ipvs']));
});

it('every mode is told the mark and the ranges that the proxies had', async () => {
  const seen: [number, readonly string[]][] = [];
  const backends = modules({
    ipvs: {
      cleanup: ({ masqueradeBit, ipvs }) => {
        seen.push([masqueradeBit, ipvs.excludeCIDRs]);
        return Promise.resolve([]);
      },
    },
  });
  await cleanup({ ...base, backends, masqueradeBit: 3, ipvs: { excludeCIDRs: ['10.0.0.0/8'] } });
  await cleanup({ ...base, backends });
  assert.deepEqual(seen[0], [3, ['10.0.0.0/8']]);
  assert.deepEqual(seen[2], [14, []]);
});

it('a mode that can spare what another uses is asked to', async () => {
  const backends = modules({
    ipvs: { cleanupBeside: (_, inForce) => Promise.resolve([`ipvs beside ${inForce}`]) },
  });
  const { removed } = await cleanup({ ...base, inForce: 'iptables', backends });
  assert.ok(removed.includes('ipvs beside iptables'));
  assert.ok(!removed.includes('ipvs IPv4'));
});

it('what fails in one mode is told, a tool that is missing is not, and the others are cleaned', async () => {
  const missing = new HostError(['ipset', 'list'], 'could not be started', undefined, '', { code: 'ENOENT' });
  const backends = modules({
    nftables: { cleanup: () => Promise.reject(new HostError(['nft'], 'exit code 1', 1, 'Operation not permitted')) },
    ipvs: { cleanup: () => Promise.reject(missing) },
  });
  const { removed, failures } = await cleanup({ ...base, backends });
  assert.deepEqual(removed, ['iptables IPv4', 'iptables IPv6', 'userspace IPv4', 'userspace IPv6']);
  assert.deepEqual(failures, [
    'nftables (IPv4): nft: exit code 1: Operation not permitted',
    'nftables (IPv6): nft: exit code 1: Operation not permitted',
  ]);
});
