/**
 * A node for tests on the real runtime: a network namespace on a small LAN, with a containerd of its own that has the starter images.
 * Only inside an outer namespace. `stop` ends every process it started, shims included.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildStarters, loadImage, SANDBOX_IMAGE } from '../../src/cluster/images/index.ts';
import { removeCgroup } from '../../src/host/cgroups.ts';
import { containerdCommand, containerdSocket, renderContainerdConfig } from '../../src/host/containerd.ts';
import type { Cri } from '../../src/host/cri/cri.ts';
import { connectCri } from '../../src/host/cri/grpc-cri.ts';
import { exec } from '../../src/host/exec.ts';

export interface ContainerdNode {
  readonly namespace: string;
  readonly ip: string;
  readonly directory: string;
  readonly endpoint: string;
  readonly cniConfDir: string;
  readonly cgroupRoot: string;
  readonly cri: Cri;
  /** Kills containerd and starts it again; pods go on. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;

/** A bridge in the outer namespace that plays the LAN, 172.30.0.1/24. Test files that run side by side share it. */
export async function startLan(): Promise<void> {
  try {
    await exec('ip', ['link', 'add', 'lan0', 'type', 'bridge']);
  } catch (error) {
    if (!String(error).includes('File exists')) throw error;
  }
  await exec('ip', ['address', 'replace', '172.30.0.1/24', 'dev', 'lan0']);
  await exec('ip', ['link', 'set', 'lan0', 'up']);
}

export async function startContainerdNode(name: string, ip: string, images = ['busybox']): Promise<ContainerdNode> {
  if (!ADDRESS.test(ip)) throw new Error(`not an IPv4 address: ${ip}`);
  await exec('ip', ['netns', 'add', name]);
  await exec('ip', ['-batch', '-'], {
    input: `link add ${name} type veth peer name eth0 netns ${name}\nlink set ${name} master lan0 up\n`,
  });
  await exec('ip', ['-n', name, '-batch', '-'], {
    input: `link set lo up\naddress add ${ip}/24 dev eth0\nlink set eth0 up\nroute add default via 172.30.0.1\n`,
  });
  const directory = await mkdtemp('/tmp/fw-');
  const cniConfDir = join(directory, 'cni');
  mkdirSync(cniConfDir, { recursive: true });
  const options = {
    root: join(directory, 'root'),
    state: join(directory, 'state'),
    sandboxImage: SANDBOX_IMAGE,
    cniConfDir,
    cniBinDir: '/usr/lib/cni',
  };
  const config = join(directory, 'config.toml');
  await writeFile(config, renderContainerdConfig(options));
  const endpoint = containerdSocket(options);
  const cri = connectCri(endpoint);
  const start = async () => {
    const child = spawn('nsenter', [`--net=/run/netns/${name}`, ...containerdCommand(name, config)], {
      stdio: ['ignore', 'ignore', process.env['FAIRWAY_TEST_VERBOSE'] ? 'inherit' : 'ignore'],
    });
    await untilAnswers(cri);
    return child;
  };
  let child = await start();
  const starters = await buildStarters(join(directory, 'starters'), { names: ['pause', ...images] });
  for (const { starter } of starters) await loadImage(endpoint, join(directory, 'starters', starter.file));
  const cgroupRoot = `/${directory.split('/').at(-1) ?? ''}`;
  return {
    ...{ namespace: name, ip, directory, endpoint, cniConfDir, cgroupRoot, cri },
    restart: async () => {
      await end(child);
      child = await start();
    },
    stop: async () => {
      for (const { id } of await cri.listPodSandboxes()) {
        await cri.stopPodSandbox(id);
        await cri.removePodSandbox(id);
      }
      cri.close();
      await end(child);
      await removeCgroup(cgroupRoot);
      await exec('ip', ['netns', 'delete', name]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function untilAnswers(cri: Cri): Promise<void> {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      await cri.version();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
