/**
 * What kubectl since 1.32 sends as protobuf, against the real API server over TLS on loopback. Every object is made twice: by the
 * sub-command, in protobuf, and from what the same sub-command prints, as JSON over HTTP. The two must be stored alike.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { apiVersionOf, KINDS, NODES, PODS } from '../../src/api/kinds.ts';
import type { KubeObject, Pod } from '../../src/api/types.ts';
import { createHttpClient } from '../../src/client/http-client.ts';
import { startTlsApi, type TlsApi } from '../support/api.ts';
import { kubectls } from '../support/cluster.ts';
import { requireOuterNamespace } from '../support/outer-namespace.ts';

requireOuterNamespace();

/** Before it, kubectl speaks JSON alone. */
const FIRST_MINOR = 32;

function minorOf(file: string): number {
  const { stdout } = spawnSync(file, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  return Number(/"minor": *"(\d+)/.exec(stdout)?.[1] ?? 0);
}

/** The kubectl of this machine, and the versions that lie beside it. */
function protobufKubectls(): string[] {
  const known = kubectls().map((file) => realpathSync(file));
  const beside = known.flatMap((file) =>
    readdirSync(dirname(file))
      .filter((name) => /^kubectl\.\d+\.\d+$/.test(name))
      .map((name) => join(dirname(file), name)),
  );
  const byMinor = new Map([...known, ...beside].map((file) => [minorOf(file), file]));
  return [...byMinor].filter(([minor]) => minor >= FIRST_MINOR).map(([, file]) => file);
}

const files = protobufKubectls();
const skip = files.length === 0 ? `no kubectl of 1.${FIRST_MINOR} or later here: nothing that sends protobuf` : false;
test('there is a kubectl that sends protobuf', { skip }, () => {
  assert(files.every((file) => existsSync(file)));
});

/** `kubectl create …`: every sub-command that makes an object of a served kind, with the options that reach another field type. */
const creations: readonly string[] = [
  'namespace made',
  'configmap literals --from-literal=a=b --from-literal=empty=',
  'configmap binary --from-file=bytes=BINARY',
  'secret generic opaque --from-literal=a=b --from-file=bytes=BINARY',
  'secret tls certificate --cert=CERT --key=KEY',
  'secret docker-registry registry --docker-server=r.example --docker-username=u --docker-password=p',
  'service clusterip web --tcp=80:8080 --tcp=443:https',
  'service clusterip headless --clusterip=None',
  'service nodeport node --tcp=80 --node-port=30080',
  'service loadbalancer balanced --tcp=80:8080',
  'service externalname outside --external-name=example.org',
  'deployment web --image=nginx --replicas=3 --port=80',
  'deployment none --image=nginx --replicas=0 -- sleep 5',
  'deployment two --image=nginx --image=busybox',
  'job once --image=busybox -- echo hello',
  'cronjob often --image=busybox --schedule=*/5_*_*_*_* --restart=OnFailure -- date',
  'serviceaccount robot',
  'role reader --verb=get,list --resource=pods,deployments.apps --resource-name=a',
  'rolebinding readers --role=reader --user=jane --group=people --serviceaccount=default:robot',
  'clusterrole metrics --verb=get --non-resource-url=/metrics',
  'clusterrole aggregated --aggregation-rule=role=admin',
  'clusterrolebinding metrics --clusterrole=metrics --serviceaccount=default:robot',
  'quota small --hard=cpu=1500m,memory=2Gi,pods=10 --scopes=NotTerminating',
  'ingress classless --rule=a.example/path*=web:80,tls=certificate',
  'ingress classed --class=nginx --default-backend=web:http --annotation=a=b',
  'poddisruptionbudget number --selector=app=web --min-available=1',
  'poddisruptionbudget share --selector=app=web --max-unavailable=50%',
];

interface Result {
  code: number | null;
  out: string;
  err: string;
}

for (const file of files) {
  describe(file, () => {
    let api: TlsApi;
    let json: ReturnType<typeof createHttpClient>;
    let home: string;
    before(async () => {
      api = await startTlsApi();
      json = createHttpClient({ server: api.url, ...api.admin });
      home = mkdtempSync(join(tmpdir(), 'fairway-protobuf-'));
      writeFileSync(join(home, 'bytes'), Uint8Array.of(0, 255, 254, 1, 128));
      writeFileSync(join(home, 'cert'), api.serving.cert);
      writeFileSync(join(home, 'key'), api.serving.key);
    });
    after(async () => {
      rmSync(home, { recursive: true });
      json.close();
      await api.stop();
    });

    /** Not spawnSync: the server runs in this process. */
    async function run(args: string[], input = ''): Promise<Result> {
      const env = { PATH: process.env['PATH'] ?? '', HOME: home, KUBECONFIG: api.kubeconfig };
      const child = spawn(file, args, { env, timeout: 30_000 });
      child.stdin.end(input);
      const result = { out: '', err: '' };
      child.stdout.on('data', (chunk: Buffer) => (result.out += String(chunk)));
      child.stderr.on('data', (chunk: Buffer) => (result.err += String(chunk)));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, ...result };
    }
    async function ok(args: string[], input?: string): Promise<string> {
      const { code, out, err } = await run(args, input);
      assert.equal(code, 0, `kubectl ${args.join(' ')}\n${out}${err}`);
      return out;
    }
    /** Fails unless a request of the command went out in protobuf. */
    async function inProtobuf(args: string[]): Promise<string> {
      const { code, out, err } = await run(['-v=8', ...args]);
      assert.equal(code, 0, `kubectl ${args.join(' ')}\n${out}${err}`);
      assert.match(err, /Content-Type"?[:=]\S* ?\S*application\/vnd\.kubernetes\.protobuf/);
      return out;
    }
    const argumentsOf = (line: string) =>
      line
        .replace('BINARY', join(home, 'bytes'))
        .replace('CERT', join(home, 'cert'))
        .replace('KEY', join(home, 'key'))
        .split(' ')
        .map((word) => (word.startsWith('--schedule') ? word.replaceAll('_', ' ') : word));

    for (const line of creations) {
      test(`create ${line} is stored as its JSON would be`, async () => {
        const command = ['create', ...argumentsOf(line)];
        const dash = command.includes('--') ? command.indexOf('--') : command.length;
        const printed = await ok([...command.slice(0, dash), '--dry-run=client', '-o', 'json', ...command.slice(dash)]);
        const told = JSON.parse(printed) as KubeObject;
        const kind = KINDS.find((one) => one.kind === told.kind && apiVersionOf(one) === told.apiVersion);
        assert.ok(kind, `${String(told.apiVersion)} ${String(told.kind)}`);
        const { name } = told.metadata;
        const namespace = kind.namespaced ? 'default' : undefined;
        const sameInJson = async (as = name): Promise<Json> => {
          const metadata = { ...told.metadata, name: as, ...(namespace !== undefined && { namespace }) };
          return asWritten(await json.create(kind, { ...told, metadata }));
        };

        await inProtobuf(command);
        const fromProtobuf = asWritten(await json.get(kind, name, namespace));
        assert.deepEqual(missing(told, fromProtobuf), []);
        if (kind.kind === 'Namespace') {
          // It stays until its controller, which does not run here, has emptied it: the other one has another name.
          const other = JSON.stringify(await sameInJson('other')).replaceAll('other', name);
          assert.deepEqual(comparable(fromProtobuf), comparable(JSON.parse(other) as Json));
          return;
        }
        await json.delete(kind, name, namespace, { propagationPolicy: 'Background' });
        assert.deepEqual(comparable(fromProtobuf), comparable(await sameInJson()));
      });
    }

    test('create job --from reads the template of a cron job back', async () => {
      await inProtobuf(['create', 'job', 'again', '--from=cronjob/often']);
      const job = JSON.parse(await ok(['get', 'job', 'again', '-o', 'json'])) as Json;
      assert.deepEqual(missing({ metadata: { ownerReferences: [{ kind: 'CronJob', name: 'often' }] } }, job), []);
    });

    test('create token asks for one', async () => {
      assert.match(
        await inProtobuf(['create', 'token', 'robot', '--duration=20m', '--audience=a']),
        /^ey\S+\.\S+\.\S+$/m,
      );
    });

    test('auth can-i and auth whoami ask with reviews', async () => {
      assert.match(await inProtobuf(['auth', 'can-i', 'create', 'pods']), /^yes$/m);
      assert.match(await inProtobuf(['auth', 'whoami']), /kubernetes-admin/);
    });

    test('drain evicts, or deletes where it is told so', async () => {
      await api.client.create(NODES, { metadata: { name: 'node01' } });
      // For an Eviction kubectl says JSON itself; its DeleteOptions are protobuf.
      for (const [option, drain] of [
        ['--disable-eviction=false', ok],
        ['--disable-eviction=true', inProtobuf],
      ] as const) {
        const pod: Pod = {
          metadata: { name: 'leaves', namespace: 'default' },
          // a quota made above wants to know
          spec: {
            nodeName: 'node01',
            containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1m', memory: '1Mi' } } }],
          },
        };
        await api.client.create(PODS, pod);
        await drain(['drain', 'node01', '--force', '--grace-period=0', '--timeout=20s', option]);
        assert.deepEqual((await api.client.list(PODS)).items, []);
      }
    });

    test('a body that breaks a rule is refused as its JSON would be', async () => {
      const { code, err } = await run(['create', 'service', 'nodeport', 'low', '--tcp=80', '--node-port=80']);
      assert.equal(code, 1);
      assert.match(err, /spec.ports\[0\].nodePort: Invalid value: 80: provided port is not in the valid range/);
    });
  });
}

type Json = Record<string, unknown>;

/** Paths of what `part` says and `whole` does not. Nothing is said by null, and by an object without fields. */
function missing(part: unknown, whole: unknown, path = ''): string[] {
  if (part === null) return [];
  if (typeof part !== 'object') return part === whole ? [] : [`${path}: ${String(part)}`];
  return Object.entries(part).flatMap(([key, value]) =>
    missing(value, (whole as Json | undefined)?.[key], path === '' ? key : `${path}.${key}`),
  );
}

/** Without who wrote which field, for the two are not the same program, and without what the server counts a moment later. */
function asWritten(object: KubeObject): Json {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata, ...(object.kind === 'ResourceQuota' && { status: undefined }) };
}

/** Without what differs between any two objects: which one it is, when it came, and which addresses and ports it was given. */
function comparable(object: Json): unknown {
  const given = ['uid', 'resourceVersion', 'creationTimestamp', 'clusterIP', 'clusterIPs', 'nodePort'];
  const hidden = [...given, 'controller-uid', 'batch.kubernetes.io/controller-uid'];
  const text = JSON.stringify(object, (key, value: unknown) =>
    hidden.includes(key) && value !== 'None' && !(key === 'nodePort' && value === 30080) ? '-' : value,
  );
  return JSON.parse(text);
}
