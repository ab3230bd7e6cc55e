/**
 * How one containerd per node is configured and started. Everything it keeps lies below two folders of the node, so that nodes on one
 * machine never meet and `down` finds it all. Checked with containerd 1.6 and 1.7 configuration version 2.
 */
import { join } from 'node:path';

export interface ContainerdOptions {
  /** Images and container file systems: kept while the cluster exists. */
  root: string;
  /** Sockets, runc's state, pod network namespaces: gone after a reboot. Keep it short: sockets have paths of at most 107 bytes. */
  state: string;
  /** The image of the process that holds a pod's namespaces. Loaded beforehand, never pulled. */
  sandboxImage: string;
  cniConfDir: string;
  cniBinDir: string;
  /** Folder of `<registry>/hosts.toml` files. */
  registryConfigDir?: string;
}

/** The socket a containerd with this state folder listens on. */
export function containerdSocket(options: Pick<ContainerdOptions, 'state'>): string {
  return join(options.state, 'containerd.sock');
}

/** Arguments after the program's name. Start it inside the node's network namespace: pods on the host's network then join the node's. */
export function containerdArguments(configPath: string): string[] {
  return ['--config', configPath, '--log-level', 'warn'];
}

/**
 * The whole command, to be run inside the node's network namespace. containerd gets a UTS namespace with the node's name in it, because pods
 * on the host's network share the host's name, and that must be the node's (4-079). The process stays the same through all of it.
 */
export function containerdCommand(nodeName: string, configPath: string): string[] {
  const script = 'echo "$1" > /proc/sys/kernel/hostname && shift && exec "$@"';
  return ['unshare', '--uts', 'sh', '-c', script, 'sh', nodeName, 'containerd', ...containerdArguments(configPath)];
}

/** Plugins that a node never uses; each would cost start-up time, a probe of the file system or a background loop. */
const UNUSED_PLUGINS = [
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.restart',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
];

/** The text of config.toml. Pure. */
export function renderContainerdConfig(options: ContainerdOptions): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const sections: [header: string, values: Record<string, string | number | boolean | string[]>][] = [
    [
      '',
      {
        version: 2,
        root: options.root,
        state: options.state,
        disabled_plugins: UNUSED_PLUGINS,
      },
    ],
    ['grpc', { address: containerdSocket(options) }],
    ['ttrpc', { address: `${containerdSocket(options)}.ttrpc` }],
    [
      cri,
      {
        sandbox_image: options.sandboxImage,
        // Lowering a score below one's own is refused in containers and user namespaces; without this no sandbox starts there.
        restrict_oom_score_adj: true,
        netns_mounts_under_state_dir: true,
        stream_server_address: '127.0.0.1',
        stream_server_port: '0',
        tolerate_missing_hugetlb_controller: true,
        disable_hugetlb_controller: true,
        disable_apparmor: true,
      },
    ],
    [`${cri}.cni`, { bin_dir: options.cniBinDir, conf_dir: options.cniConfDir }],
    [`${cri}.containerd`, { snapshotter: 'overlayfs', default_runtime_name: 'runc' }],
    [`${cri}.containerd.runtimes.runc`, { runtime_type: 'io.containerd.runc.v2' }],
    // runc's own default is one folder for the whole machine
    [`${cri}.containerd.runtimes.runc.options`, { Root: join(options.state, 'runc'), SystemdCgroup: false }],
    ...(options.registryConfigDir === undefined
      ? []
      : [[`${cri}.registry`, { config_path: options.registryConfigDir }] as [string, Record<string, string>]]),
  ];
  return sections
    .map(([header, values]) =>
      [
        ...(header === '' ? [] : [`[${header}]`]),
        ...Object.entries(values).map(([k, v]) => `${k} = ${JSON.stringify(v)}`),
      ].join('\n'),
    )
    .join('\n\n')
    .concat('\n');
}
