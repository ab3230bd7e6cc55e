/** The smallest image registry: serves the one image of an OCI layout, as any name but `team/none`. Arguments: folder and port. */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [layout = '.', port = '5000'] = process.argv.slice(2);
interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}
const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: [Descriptor] };
const [manifest] = index.manifests;

createServer((request, response) => {
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '');
  const [, name, kind, reference = ''] = match ?? [];
  const digest = kind === 'manifests' && !reference.startsWith('sha256:') ? manifest.digest : reference;
  const file = join(layout, 'blobs', digest.replace(':', '/'));
  if (request.url === '/v2/') response.end('{}');
  else if (name === undefined || name === 'team/none' || !/^sha256:[0-9a-f]{64}$/.test(digest) || !existsSync(file)) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
  } else {
    const type = kind === 'manifests' ? manifest.mediaType : 'application/octet-stream';
    const length = readFileSync(file).length;
    response.writeHead(200, { 'content-type': type, 'content-length': length, 'docker-content-digest': digest });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  }
}).listen(Number(port), '127.0.0.1', () => {
  process.stdout.write('listening\n');
});
