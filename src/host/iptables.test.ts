import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostError, type Exec } from './exec.ts';
import { chooseIptables, isLockFailure } from './iptables.ts';

const tableOf = (...chains: string[]) =>
  `*nat\n:PREROUTING ACCEPT [0:0]\n${chains.map((one) => `:${one} - [0:0]\n`).join('')}COMMIT\n`;

interface Machine {
  /** What the tools print; absent: the tool is not installed. */
  readonly legacy?: string;
  readonly nft?: string;
}

/** A machine with these tables; `asked` lists the programs that were run. */
function machine(tables: Machine): { exec: Exec; asked: string[] } {
  const asked: string[] = [];
  const exec: Exec = (file, args, { onOutput } = {}) => {
    asked.push(file);
    const variant = file.includes('-nft') ? 'nft' : 'legacy';
    const saved = tables[variant];
    const result = (stdout: string) => Promise.resolve({ stdout, stderr: '' });
    if (file === 'cat') return (tables.legacy ?? '') === '' ? result('') : result('nat\n');
    if (saved === undefined)
      return Promise.reject(new HostError([file, ...args], 'could not be started', undefined, ''));
    if (file.endsWith('-save')) onOutput?.(Buffer.from(saved));
    return result('iptables v1.8.9');
  };
  return { exec, asked };
}

describe('which iptables is used (3-074)', () => {
  const cases: [what: string, tables: Machine, variant: 'legacy' | 'nft', warnings: number][] = [
    ['legacy on an empty machine', { legacy: '', nft: '' }, 'legacy', 0],
    ['the one with our chains', { legacy: '', nft: tableOf('KUBE-SERVICES') }, 'nft', 0],
    [
      'the one with our chains, though the other has more',
      { legacy: tableOf('KUBE-SERVICES'), nft: tableOf('A', 'B') },
      'legacy',
      1,
    ],
    ['the one the kubelet hints at', { legacy: tableOf('A', 'B'), nft: tableOf('KUBE-IPTABLES-HINT') }, 'nft', 1],
    ['the one the kubelet watches', { legacy: tableOf('KUBE-KUBELET-CANARY'), nft: '' }, 'legacy', 0],
    ['the one with more rules of others', { legacy: tableOf('A'), nft: tableOf('A', 'B') }, 'nft', 1],
    ['the only one installed', { nft: '' }, 'nft', 0],
    ['the only one installed, legacy', { legacy: '' }, 'legacy', 0],
    ['the only one installed, though the other is in use', { legacy: tableOf('KUBE-SERVICES') }, 'legacy', 0],
  ];
  for (const [what, tables, variant, warnings] of cases) {
    it(what, async () => {
      const chosen = await chooseIptables({ exec: machine(tables).exec });
      assert.equal(chosen.iptables.variant, variant);
      assert.equal(chosen.warnings.length, warnings, chosen.warnings.join('\n'));
    });
  }

  it('is looked for without bringing tables of legacy into being', async () => {
    const { exec, asked } = machine({ legacy: '', nft: '' });
    await chooseIptables({ exec });
    assert.ok(!asked.includes('iptables-legacy-save'), asked.join(' '));
  });

  it('is asked of the tools of the family', async () => {
    const { exec, asked } = machine({ legacy: tableOf('A'), nft: '' });
    await chooseIptables({ exec, family: 'IPv6' });
    assert.deepEqual(asked, ['cat', 'ip6tables-legacy-save', 'ip6tables-nft-save', 'ip6tables-legacy-restore']);
  });

  it('is an error in plain words where none is installed', async () => {
    await assert.rejects(
      chooseIptables({ exec: machine({}).exec }),
      /neither iptables-legacy nor iptables-nft is installed/,
    );
  });
});

it('tells a lock that is held from other failures', () => {
  const failure = (code: number) => new HostError(['iptables-restore'], `exit code ${String(code)}`, code, '');
  assert.equal(isLockFailure(failure(4)), true);
  assert.equal(isLockFailure(failure(2)), false);
  assert.equal(isLockFailure(new Error('4')), false);
});
