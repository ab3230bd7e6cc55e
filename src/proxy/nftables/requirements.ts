/** What this mode needs of the machine, and what to do where it is not there (3-075). */
import { HostError, type Exec } from '../../host/exec.ts';
import type { Nft } from '../../host/nft.ts';

/** Older ones cannot write a map from a concatenation with a number. */
const NFT = [1, 0, 1];
const KERNEL = [5, 13];

/** kube-proxy's own way of saying that a kernel with an older number has what it takes. */
export const SKIP_KERNEL_CHECK = 'KUBE_PROXY_NFTABLES_SKIP_KERNEL_VERSION_CHECK';

const OTHERWISE = 'choose another proxy mode, such as iptables';

/** Throws HostError that says what is missing. */
export async function assertSupported(
  nft: Nft,
  exec: Exec,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const found = await nft.version().catch((error: unknown) => {
    throw new HostError(
      ['nft', '--version'],
      `mode nftables needs the nft command: install it (package nftables), or ${OTHERWISE}`,
      undefined,
      '',
      error,
    );
  });
  if (isOlder(found, NFT)) {
    const why = `mode nftables needs nft ${NFT.join('.')} or newer, and this is ${found.join('.')}: upgrade it, or ${OTHERWISE}`;
    throw new HostError(['nft', '--version'], why, undefined, '');
  }
  if ((environment[SKIP_KERNEL_CHECK] ?? '') !== '') return;
  const { stdout } = await exec('uname', ['-r']);
  const kernel = (/^\d+(?:\.\d+)*/.exec(stdout)?.[0] ?? '').split('.').map(Number);
  if (isOlder(kernel, KERNEL)) {
    const why = `mode nftables needs Linux ${KERNEL.join('.')} or newer, and this is ${stdout.trim()}: ${OTHERWISE}, or set ${SKIP_KERNEL_CHECK} where yours has what it takes`;
    throw new HostError(['uname', '-r'], why, undefined, '');
  }
}

function isOlder(found: readonly number[], wanted: readonly number[]): boolean {
  for (const [at, number] of wanted.entries()) {
    const own = found[at] ?? 0;
    if (own !== number) return own < number;
  }
  return false;
}
