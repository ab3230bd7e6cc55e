/** The files that are written into starter images, as text. */

/** Answers every path with the machine's own name; everything it writes goes to memory, so a read-only root file system is no problem. */
export function serveHostnameConfig(listen: readonly string[]): string {
  return `# serve_hostname: the machine's own name, whatever is asked.
daemon off;
master_process off;
error_log stderr warn;
pid /dev/shm/serve_hostname.pid;
events { worker_connections 1024; }
http {
  access_log off;
  default_type text/plain;
  client_body_temp_path /dev/shm/body;
  proxy_temp_path /dev/shm/proxy;
  fastcgi_temp_path /dev/shm/fastcgi;
  uwsgi_temp_path /dev/shm/uwsgi;
  scgi_temp_path /dev/shm/scgi;
  server {
${listen.map((address) => `    listen ${address};`).join('\n')}
    location / { return 200 "$hostname\\n"; }
  }
}
`;
}

export const serveHostname = `#!/bin/sh
if [ $# -gt 0 ]; then
  echo "serve_hostname: this starter takes no options: $*" >&2
  exit 2
fi
conf=/etc/serve_hostname.conf
[ -e /proc/net/if_inet6 ] || conf=/etc/serve_hostname-ipv4.conf
exec /usr/sbin/nginx -c "$conf"
`;

export const nginxConfig = `user nginx;
worker_processes 1;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /var/log/nginx/access.log combined;
  sendfile on;
  keepalive_timeout 65;
  include /etc/nginx/conf.d/*.conf;
}
`;

export const nginxSite = `server {
  listen 80;
  listen [::]:80;
  server_name localhost;
  location / {
    root /usr/share/nginx/html;
    index index.html index.htm;
  }
}
`;

/** Without IPv6 in the kernel, nginx would refuse to start because of the stock site's second listen line. */
export const nginxEntrypoint = `#!/bin/sh
if [ ! -e /proc/net/if_inet6 ]; then
  sed -i '/listen \\[::\\]:80;/d' /etc/nginx/conf.d/default.conf 2>/dev/null
fi
exec "$@"
`;

export const users = `root:x:0:0:root:/root:/bin/sh
nginx:x:101:101:nginx:/nonexistent:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`;

export const groups = `root:x:0:
nginx:x:101:
nogroup:x:65534:
`;

export const nameServiceSwitch = 'hosts: files dns\n';
