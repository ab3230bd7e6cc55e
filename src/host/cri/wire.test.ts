import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Server, ServerCredentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { isCriNotFound } from './cri.ts';
import { connectCri } from './grpc-cri.ts';
import { runtimeInfo } from './messages.ts';
import { parseProto } from '../grpc/proto.ts';
import { Codec } from '../grpc/codec.ts';

const PATH = fileURLToPath(new URL('runtime.proto', import.meta.url));
const file = parseProto(readFileSync(PATH, 'utf8'));
const codec = new Codec(file);
/** The library reads the same file: an oracle for our own reader and writer. */
const library = loadSync(PATH, { longs: Number, enums: String, defaults: true });
const definition = (service: string) => library[`runtime.v1.${service}`] as ServiceDefinition;

const container = {
  podSandboxId: 'ü-sandbox',
  config: {
    metadata: { name: 'web', attempt: 300 },
    command: ['', 'sh', '-c'],
    labels: { __proto_: 'x', empty: '' },
    tty: true,
    mounts: [{ containerPath: '/a', hostPath: '/b', readonly: true, propagation: 'PROPAGATION_BIDIRECTIONAL' }],
    linux: {
      resources: { oomScoreAdj: -997, memoryLimitInBytes: 2 ** 40, cpuQuota: -1 },
      securityContext: {
        runAsUser: { value: 0 },
        supplementalGroups: [0, 1, 70_000],
        namespaceOptions: { pid: 'CONTAINER' },
      },
    },
  },
  sandboxConfig: { portMappings: [{ protocol: 'UDP', containerPort: 53, hostPort: 0, hostIp: '' }] },
};

test('what is written here, the library reads, and the other way round', () => {
  const call = definition('RuntimeService')['CreateContainer'];
  assert.ok(call);
  const ours = codec.encode('CreateContainerRequest', container);
  assert.deepEqual(
    codec.decode('CreateContainerRequest', ours),
    JSON.parse(JSON.stringify(call.requestDeserialize(ours))),
  );
  const theirs = call.requestSerialize(container);
  assert.deepEqual(codec.decode('CreateContainerRequest', theirs), codec.decode('CreateContainerRequest', ours));
  const found = codec.decode('CreateContainerRequest', ours) as typeof container;
  assert.equal(found.config.linux.resources.oomScoreAdj, -997);
  assert.deepEqual(found.config.linux.securityContext.supplementalGroups, [0, 1, 70_000]);
});

test('every call of the file is the library’s, with the same path', () => {
  for (const [service, calls] of file.services)
    assert.deepEqual([...calls.keys()].sort(), Object.keys(definition(service)).sort());
});

test('bytes that are no message are refused', () => {
  for (const bytes of ['0a05', '08', '0a', '0f00', '08ffffffffffffffffffffff01'])
    assert.throws(() => codec.decode('SandboxId', Buffer.from(bytes, 'hex')), RangeError, bytes);
  assert.deepEqual(codec.decode('SandboxId', Buffer.from('1001' + '0a0161' + '2d00000000', 'hex')), { id: 'a' });
});

async function serve(t: TestContext, calls: UntypedServiceImplementation) {
  const directory = mkdtempSync(join(tmpdir(), 'fairway-cri-'));
  const socket = join(directory, 'cri.sock');
  const loaded = loadPackageDefinition(library) as unknown as {
    runtime: { v1: { RuntimeService: { service: ServiceDefinition } } };
  };
  const start = async () => {
    const server = new Server();
    server.addService(loaded.runtime.v1.RuntimeService.service, calls);
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    return server;
  };
  const servers = [await start()];
  const cri = connectCri(socket);
  t.after(() => {
    cri.close();
    for (const server of servers) server.forceShutdown();
    rmSync(directory, { recursive: true });
  });
  const restart = async () => {
    servers.at(-1)?.forceShutdown();
    servers.push(await start());
  };
  return { cri, restart };
}

test('calls over a socket: answers, errors by code, many at once, and again after the server was restarted', async (t) => {
  type Callback = (error: object | null, reply?: object) => void;
  const { cri, restart } = await serve(t, {
    Version: (_: unknown, answer: Callback) => {
      answer(null, { runtimeName: 'x', runtimeVersion: '1', runtimeApiVersion: 'v1' });
    },
    ContainerStatus: (_: unknown, answer: Callback) => {
      answer({ code: status.NOT_FOUND, details: 'no container "ü" 100%' });
    },
    ExecSync: ({ request }: { request: { cmd: string[] } }, answer: Callback) => {
      answer(null, {
        stdout: Buffer.from(request.cmd.join(' ').repeat(100_000)),
        stderr: Buffer.from([0xff]),
        exitCode: 3,
      });
    },
  });
  assert.deepEqual(await cri.version(), { runtimeName: 'x', runtimeVersion: '1', runtimeApiVersion: 'v1' });
  await assert.rejects(cri.containerStatus('x'), (error: Error) => {
    assert.ok(isCriNotFound(error));
    assert.equal(error.message, 'ContainerStatus: NotFound: no container "ü" 100%');
    return true;
  });
  const outputs = await Promise.all([1, 2, 3].map((n) => cri.execSync('x', ['say', String(n)], 5)));
  assert.deepEqual(
    outputs.map(({ stdout, stderr, exitCode }) => [stdout.length, stdout.toString('utf8', 0, 5), stderr[0], exitCode]),
    [1, 2, 3].map((n) => [500_000, `say ${String(n)}`, 0xff, 3]),
  );
  await restart();
  await new Promise((resolve) => setImmediate(resolve));
  const again = await cri.version().catch(() => cri.version());
  assert.equal(again.runtimeName, 'x');
});

test('nobody there: Unavailable, and no wait', async () => {
  const cri = connectCri('/nowhere/cri.sock');
  await assert.rejects(cri.version(), { name: 'CriError', code: 'Unavailable' });
  cri.close();
});

test('where a sandbox and a container are is read out of what containerd says of them', () => {
  const info = JSON.stringify({
    pid: 4711,
    runtimeSpec: {
      linux: { namespaces: [{ type: 'pid' }, { type: 'network', path: '/var/run/netns/cni-1' }] },
      mounts: [{ destination: '/etc/resolv.conf', source: '/run/x/resolv.conf', type: 'bind' }, { destination: 7 }],
    },
  });
  assert.deepEqual(runtimeInfo({ info }), {
    pid: 4711,
    networkNamespace: '/var/run/netns/cni-1',
    mounts: new Map([['/etc/resolv.conf', '/run/x/resolv.conf']]),
  });
  for (const other of ['', '{', '[]', '{"pid":"x","runtimeSpec":{}}']) {
    assert.deepEqual(runtimeInfo({ info: other }), { mounts: new Map() });
  }
  assert.deepEqual(runtimeInfo({}), { mounts: new Map() });
});
