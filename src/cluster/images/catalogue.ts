/**
 * The starter images, all names in one place. A starter stands in for an image of the same name where no registry can be
 * reached; it is made from the distribution's packages and says so (label `io.fairway.starter`, file /etc/fairway-starter).
 */
import { SANDBOX_IMAGE } from '../../kubelet/starters.ts';
import { nginxConfig, nginxEntrypoint, nginxSite, serveHostname, serveHostnameConfig } from './starter-files.ts';

export interface StarterDefinition {
  readonly name: string;
  /** Full names the image gets. */
  readonly images: readonly string[];
  /** Stands in for other tags of the same repositories too (`nginx:1.14.2`), so that tutorials that roll from tag to tag work. */
  readonly anyTag: boolean;
  /** Imported on every node as soon as it runs: for the images people try first. The others are imported when asked for. */
  readonly preload: boolean;
  /** Packages the files come from, Debian's names; the first is the one to install when something is missing. */
  readonly packages: readonly string[];
  /** Programs of the machine, each with the shared libraries it needs, at the same path. */
  readonly programs: readonly string[];
  /** Files of the machine that are copied: path in the image -> path on the machine. */
  readonly copies?: Readonly<Record<string, string>>;
  /** Every busybox applet in /bin, so that a shell, `wget` and `cat` are there. */
  readonly busybox: boolean;
  /** Written files. A text is mode 0644, with `executable` 0755. */
  readonly files?: Readonly<Record<string, string | { executable: string }>>;
  readonly directories?: readonly string[];
  readonly links?: Readonly<Record<string, string>>;
  /** /pause is the program of pause.ts. */
  readonly pause?: boolean;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly ports?: readonly string[];
  readonly stopSignal?: string;
}

export const BUSYBOX = '/bin/busybox';

const nginx = '/usr/sbin/nginx';
const nginxPackages = ['nginx-light', 'nginx', 'nginx-core', 'nginx-common'];

export const CATALOGUE: readonly StarterDefinition[] = [
  {
    name: 'pause',
    images: [SANDBOX_IMAGE],
    anyTag: false,
    preload: true,
    packages: [],
    programs: [],
    busybox: false,
    pause: true,
    entrypoint: ['/pause'],
  },
  {
    name: 'serve_hostname',
    images: ['k8s.gcr.io/serve_hostname:latest', 'registry.k8s.io/serve_hostname:latest'],
    anyTag: true,
    preload: true,
    packages: [...nginxPackages, 'busybox-static'],
    programs: [nginx],
    busybox: true,
    files: {
      serve_hostname: { executable: serveHostname },
      'etc/serve_hostname.conf': serveHostnameConfig(['9376', '[::]:9376']),
      'etc/serve_hostname-ipv4.conf': serveHostnameConfig(['9376']),
    },
    entrypoint: ['/serve_hostname'],
    ports: ['9376/tcp'],
  },
  {
    name: 'nginx',
    images: ['docker.io/library/nginx:latest'],
    anyTag: true,
    preload: true,
    packages: [...nginxPackages, 'busybox-static'],
    programs: [nginx, '/bin/bash'],
    copies: {
      'usr/share/nginx/html/index.html': '/usr/share/nginx/html/index.html',
      'etc/nginx/mime.types': '/etc/nginx/mime.types',
    },
    busybox: true,
    files: {
      'docker-entrypoint.sh': { executable: nginxEntrypoint },
      'etc/nginx/nginx.conf': nginxConfig,
      'etc/nginx/conf.d/default.conf': nginxSite,
    },
    directories: ['var/lib/nginx', 'var/cache/nginx', 'run', 'var/log/nginx', 'usr/share/nginx/modules'],
    links: { 'var/log/nginx/access.log': '/dev/stdout', 'var/log/nginx/error.log': '/dev/stderr', 'var/run': '/run' },
    entrypoint: ['/docker-entrypoint.sh'],
    cmd: ['nginx', '-g', 'daemon off;'],
    ports: ['80/tcp'],
    stopSignal: 'SIGQUIT',
  },
  {
    name: 'busybox',
    images: ['docker.io/library/busybox:latest'],
    anyTag: true,
    preload: true,
    packages: ['busybox-static'],
    programs: [],
    busybox: true,
    cmd: ['sh'],
  },
  {
    name: 'dig',
    images: ['docker.io/xianchao/dig:latest'],
    anyTag: true,
    preload: false,
    packages: ['bind9-dnsutils', 'bind9-host', 'busybox-static'],
    programs: ['/usr/bin/dig', '/usr/bin/nslookup', '/usr/bin/host', '/bin/bash'],
    busybox: true,
    // busybox's own shell would take busybox's own nslookup
    links: { 'bin/sh': 'bash', 'bin/nslookup': '/usr/bin/nslookup' },
    cmd: ['sh'],
  },
  {
    name: 'mysql-client',
    images: ['docker.io/library/mysql:latest', 'docker.io/library/mariadb:latest'],
    anyTag: true,
    preload: false,
    packages: ['mariadb-client', 'mariadb-client-core', 'busybox-static'],
    programs: ['/usr/bin/mariadb', '/bin/bash'],
    busybox: true,
    links: { 'usr/bin/mysql': 'mariadb' },
    cmd: [
      'sh',
      '-c',
      'echo "this starter holds only the client: give a command, for example mysql -h HOST -u USER -p" >&2; exit 1',
    ],
  },
];
