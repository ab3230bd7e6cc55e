import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Core } from '../api/types.ts';
import { containerConfig, requireNonRoot } from './container-config.ts';
import { testPod } from './fake-parts.ts';
import { linuxResources } from './qos.ts';
import { sandboxConfig } from './sandbox.ts';

function configOf(container: Partial<Core.Container>, spec: Partial<Core.PodSpec> = {}, targetId?: string) {
  const one = { name: 'web', image: 'web:1', ...container };
  const pod = testPod('a', { ...spec, containers: [one] });
  return containerConfig(pod, one, {
    restartCount: 2,
    imageRef: 'sha256:web',
    env: [{ name: 'PORT', value: '80' }],
    expand: (text, variables) => text.replace('$(PORT)', variables.get('PORT') ?? ''),
    mounts: [],
    resources: linuxResources(pod, one, 1),
    seccompDir: '/profiles',
    ...(targetId !== undefined && { targetId }),
  });
}

test('command and args have their variables expanded, labels and annotations say whose it is', () => {
  const config = configOf({ command: ['serve'], args: ['--port=$(PORT)'] });
  assert.deepEqual([config.command, config.args], [['serve'], ['--port=80']]);
  assert.equal(config.labels['io.kubernetes.pod.uid'], 'uid-a');
  assert.equal(config.annotations['io.kubernetes.container.restartCount'], '2');
  assert.equal(config.logPath, 'web/2.log');
});

const contexts: [what: string, own: Core.SecurityContext, shared: Core.PodSecurityContext, expected: object][] = [
  ['nothing asked', {}, {}, { seccomp: { type: 'Unconfined' }, noNewPrivileges: false, privileged: false }],
  [
    'the container wins over the pod',
    { runAsUser: 1 },
    { runAsUser: 2, runAsGroup: 3 },
    { runAsUser: 1, runAsGroup: 3 },
  ],
  ['groups', {}, { fsGroup: 5, supplementalGroups: [4, 5] }, { supplementalGroups: [4, 5] }],
  ['no escalation', { allowPrivilegeEscalation: false }, {}, { noNewPrivileges: true }],
  ['the pod’s seccomp', {}, { seccompProfile: { type: 'RuntimeDefault' } }, { seccomp: { type: 'RuntimeDefault' } }],
  [
    'a profile of the node',
    { seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } },
    {},
    { seccomp: { type: 'Localhost', path: '/profiles/a/b.json' } },
  ],
  [
    'privileged',
    { privileged: true, seccompProfile: { type: 'RuntimeDefault' } },
    {},
    { privileged: true, seccomp: { type: 'Unconfined' }, maskedPaths: [] },
  ],
];
for (const [what, own, shared, expected] of contexts) {
  test(`security context: ${what}`, () => {
    const found = configOf({ securityContext: own }, { securityContext: shared }).securityContext;
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(found[key as keyof typeof found], value, key);
  });
}

test('an ephemeral container sees its target’s processes, unless the pod shares them or the node’s', () => {
  const pid = (spec: Partial<Core.PodSpec>) => configOf({}, spec, 'id-web').securityContext.namespaces;
  assert.deepEqual(pid({}), { network: 'POD', pid: 'TARGET', ipc: 'POD', targetId: 'id-web' });
  assert.equal(pid({ shareProcessNamespace: true }).pid, 'POD');
  assert.equal(pid({ hostPID: true }).pid, 'NODE');
});

test('a profile outside the folder is refused', () => {
  for (const localhostProfile of ['../x', '/x', ''])
    assert.throws(() => configOf({ securityContext: { seccompProfile: { type: 'Localhost', localhostProfile } } }), {
      name: 'ContainerConfigError',
    });
});

test('runAsNonRoot: root, an unknown user and nothing known are refused', () => {
  const check = (own: Core.SecurityContext, image?: { uid?: number; username: string }) => () => {
    const spec = { name: 'web', securityContext: { runAsNonRoot: true, ...own } };
    requireNonRoot(testPod('a'), spec, image);
  };
  for (const bad of [
    check({}),
    check({ runAsUser: 0 }),
    check({}, { uid: 0, username: '' }),
    check({}, { username: 'app' }),
  ])
    assert.throws(bad, { name: 'ContainerConfigError' });
  check({ runAsUser: 7 })();
  check({}, { uid: 7, username: '' })();
});

test('the sandbox: namespaces, host ports and names', () => {
  const context = {
    podLogsDir: '/logs',
    cgroupRoot: '/fairway-a/node01',
    clusterDomain: 'cluster.local',
    dns: { servers: ['10.96.0.10'], searches: [], options: [] },
  };
  const ports = [
    { containerPort: 80, hostPort: 8080 },
    { containerPort: 53, protocol: 'UDP' },
  ];
  const containers = [{ name: 'web', ports }];
  const own = sandboxConfig(testPod('a', { containers, shareProcessNamespace: true, hostname: 'h' }), 1, context);
  assert.deepEqual(own.namespaces, { network: 'POD', pid: 'POD', ipc: 'POD' });
  assert.deepEqual(own.portMappings, [{ protocol: 'TCP', containerPort: 80, hostPort: 8080, hostIp: '' }]);
  assert.deepEqual([own.hostname, own.cgroupParent], ['h', '/fairway-a/node01/poduid-a']);
  assert.equal(own.logDirectory, '/logs/default_a_uid-a');
  const host = sandboxConfig(testPod('a', { containers, hostNetwork: true, hostPID: true }), 0, context);
  assert.deepEqual(
    [host.namespaces, host.portMappings, host.hostname],
    [{ network: 'NODE', pid: 'NODE', ipc: 'POD' }, [], ''],
  );
});

test('a sandbox is privileged for whichever of its containers is', () => {
  const context = {
    podLogsDir: '/logs',
    cgroupRoot: '/f',
    clusterDomain: 'cluster.local',
    dns: { servers: [], searches: [], options: [] },
  };
  const plain = [{ name: 'web' }];
  const one = [{ name: 'other', securityContext: { privileged: true } }];
  const privileged = (spec: Partial<Core.PodSpec>) =>
    sandboxConfig(testPod('a', { containers: plain, ...spec }), 0, context).securityContext.privileged;
  assert.equal(privileged({}), false);
  assert.equal(privileged({ containers: one }), true);
  assert.equal(privileged({ initContainers: one }), true);
  assert.equal(privileged({ ephemeralContainers: one }), true);
});
