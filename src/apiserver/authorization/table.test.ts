/**
 * Who may do what, in one table: every cell is stated and tested, from the path of a request to the decision. A plus is allowed, a dot is
 * refused. What a node may write depends on bodies too: see `access.test.ts`.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../../test/support/api.ts';
import { isForbidden } from '../../api/api-error.ts';
import { authorize } from '../authorize.ts';
import { ANONYMOUS, type User } from '../request.ts';
import { parsePath } from '../routes.ts';
import { attributesOf } from './attributes.ts';

const everybody = 'system:authenticated';
const person = (name: string): User => ({ name, groups: [everybody] });
const account = (name: string): User => ({
  name: `system:serviceaccount:team:${name}`,
  groups: ['system:serviceaccounts', 'system:serviceaccounts:team', everybody],
});
const node = (name: string): User => ({ name: `system:node:${name}`, groups: ['system:nodes', everybody] });

/** In the order of the columns. */
const actors: Record<string, User> = {
  anonymous: ANONYMOUS,
  nobody: person('nobody'), // authenticated, and bound to nothing
  node01: node('node01'), // runs the Pod team/mine
  node02: node('node02'), // runs nothing
  account: account('idle'), // of a service account that is bound to nothing
  robot: account('robot'), // view in team
  viewer: person('viewer'), // view in team
  editor: person('editor'), // edit in team
  boss: person('boss'), // admin in team
  proxy: person('system:kube-proxy'),
  dns: person('system:kube-dns'),
  master: { name: 'kubernetes-admin', groups: ['system:masters', everybody] },
};

const TABLE = `
                                                       a n n n a r v e b p d m
                                                       n o o o c o i d o r n a
                                                       o b 1 2 c b e i s o s s
GET    /healthz                                        + + + + + + + + + + + +
GET    /livez/ping                                     + + + + + + + + + + + +
GET    /readyz                                         + + + + + + + + + + + +
GET    /version                                        + + + + + + + + + + + +
POST   /version                                        . . . . . . . . . . . +
GET    /                                               . . . . . . . . . . . +
GET    /api                                            . + + + + + + + + + + +
GET    /apis/apps/v1                                   . + + + + + + + + + + +
GET    /openapi/v3                                     . + + + + + + + + + + +
GET    /metrics                                        . . . . . . . . . . . +
GET    /.well-known/openid-configuration               . . . . + + . . . . . +
GET    /openid/v1/jwks                                 . . . . + + . . . . . +
POST   AUTHN/selfsubjectreviews                        . + + + + + + + + + + +
POST   AUTHZ/selfsubjectaccessreviews                  . + + + + + + + + + + +
POST   AUTHZ/selfsubjectrulesreviews                   . + + + + + + + + + + +
POST   AUTHZ/subjectaccessreviews                      . . + + . . . . . . . +
POST   AUTHZ/namespaces/team/localsubjectaccessreviews . . + + . . . . + . . +
POST   AUTHN/tokenreviews                              . . + + . . . . . . . +

GET    V1/namespaces                                   . . . . . . . . . . + +
POST   V1/namespaces                                   . . . . . . . . . . . +
GET    V1/namespaces/team                              . . . . . + + + + . . +
DELETE V1/namespaces/team                              . . . . . . . . . . . +
GET    V1/namespaces/other                             . . . . . . . . . . . +
GET    V1/nodes                                        . . + + . . . . . + + +
GET    V1/nodes/node01                                 . . + + . . . . . + + +
POST   V1/nodes                                        . . + + . . . . . . . +
DELETE V1/nodes/node01                                 . . . . . . . . . . . +
PATCH  V1/nodes/node01/status                          . . + + . . . . . . . +
GET    V1/nodes/node01/proxy/metrics                   . . . . . . . . . . . +

GET    V1/pods                                         . . . . . . . . . . + +
GET    V1/pods?fieldSelector=spec.nodeName=node01      . . + . . . . . . . + +
GET    V1/pods?watch=1&fieldSelector=spec.nodeName%3Dnode01 . . + . . . . . . . + +
GET    TEAM/pods                                       . . . . . + + + + . + +
GET    TEAM/pods/mine                                  . . + . . + + + + . . +
GET    TEAM/pods?watch=1&fieldSelector=metadata.name=mine . . + . . + + + + . + +
GET    OTHER/pods                                      . . . . . . . . . . + +
POST   TEAM/pods                                       . . + + . . . + + . . +
PUT    TEAM/pods/mine                                  . . . . . . . + + . . +
PATCH  TEAM/pods/mine/status                           . . + + . . . . . . . +
DELETE TEAM/pods/mine                                  . . + + . . . + + . . +
DELETE TEAM/pods                                       . . . . . . . + + . . +
GET    TEAM/pods/mine/log                              . . . . . + + + + . . +
GET    TEAM/pods/mine/exec                             . . . . . . . + + . . +
POST   TEAM/pods/mine/exec                             . . . . . . . + + . . +
POST   TEAM/pods/mine/portforward                      . . . . . . . + + . . +
GET    TEAM/pods/mine/proxy/x                          . . . . . . . + + . . +
POST   TEAM/pods/mine/eviction                         . . + + . . . + + . . +
POST   TEAM/pods/mine/binding                          . . . . . . . . . . . +

GET    V1/services                                     . . + + . . . . . + + +
GET    TEAM/services/web                               . . + + . + + + + . . +
POST   TEAM/services                                   . . . . . . . + + . . +
POST   OTHER/services                                  . . . . . . . . . . . +
PATCH  TEAM/services/web/status                        . . . . . . . . . . . +
GET    TEAM/services/web/proxy/x                       . . . . . . . + + . . +
GET    TEAM/endpoints                                  . . . . . + + + + + + +
POST   TEAM/endpoints                                  . . . . . . . . . . . +
GET    /apis/discovery.k8s.io/v1/endpointslices        . . . . . . . . . + + +
GET    TEAM@discovery.k8s.io/endpointslices            . . . . . + + + + + + +
POST   TEAM@discovery.k8s.io/endpointslices            . . . . . . . . . . . +
GET    /apis/networking.k8s.io/v1/servicecidrs         . . . . . . . . . + . +
GET    TEAM@networking.k8s.io/ingresses                . . . . . + + + + . . +
POST   TEAM@networking.k8s.io/networkpolicies          . . . . . . . + + . . +

GET    TEAM/configmaps/used                            . . + . . + + + + . . +
GET    TEAM/configmaps/unused                          . . . . . + + + + . . +
GET    TEAM/configmaps                                 . . . . . + + + + . . +
PUT    TEAM/configmaps/used                            . . . . . . . + + . . +
GET    SYSTEM/configmaps/coredns                       . . . . . . . . . . + +
GET    SYSTEM/configmaps?watch=1&fieldSelector=metadata.name=coredns . . . . . . . . . . + +
GET    SYSTEM/configmaps?fieldSelector=metadata.name=other . . . . . . . . . . . +
GET    SYSTEM/configmaps                               . . . . . . . . . . . +
PUT    SYSTEM/configmaps/coredns                       . . . . . . . . . . . +
GET    SYSTEM/secrets                                  . . . . . . . . . . . +
POST   SYSTEM/events                                   . . + + . . . . . + + +
GET    TEAM/secrets                                    . . . . . . . + + . . +
GET    TEAM/secrets/mounted                            . . + . . . . + + . . +
GET    TEAM/secrets/in-env                             . . + . . . . + + . . +
GET    TEAM/secrets/unused                             . . . . . . . + + . . +
GET    TEAM/secrets?watch=1&fieldSelector=metadata.name=mounted . . + . . . . + + . . +
GET    OTHER/secrets/mounted                           . . . . . . . . . . . +
DELETE TEAM/secrets/mounted                            . . . . . . . + + . . +
GET    TEAM/persistentvolumeclaims/claimed             . . + . . + + + + . . +
GET    TEAM/persistentvolumeclaims/unclaimed           . . . . . + + + + . . +
GET    V1/persistentvolumes/behind                     . . + . . . . . . . . +
GET    V1/persistentvolumes                            . . . . . . . . . . . +
GET    TEAM/serviceaccounts/runner                     . . . . . + + + + . . +
POST   TEAM/serviceaccounts/runner/token               . . + . . . . + + . . +
POST   TEAM/serviceaccounts/robot/token                . . . . . . . + + . . +
GET    TEAM/resourcequotas                             . . . . . + + + + . . +
POST   TEAM/resourcequotas                             . . . . . . . . . . . +
GET    TEAM/events                                     . . . . . + + + + . . +
POST   TEAM/events                                     . . + + . . . + + + . +

GET    TEAM@apps/deployments                           . . . . . + + + + . . +
POST   TEAM@apps/deployments                           . . . . . . . + + . . +
POST   TEAM@extensions/deployments                     . . . . . . . + + . . +
PATCH  TEAM@apps/deployments/web/scale                 . . . . . . . + + . . +
PUT    TEAM@apps/deployments/web/status                . . . . . . . . . . . +
POST   TEAM@batch/jobs                                 . . . . . . . + + . . +
GET    TEAM@example.com/things                         . . . . . . . . . . . +

GET    TEAM@rbac.authorization.k8s.io/roles            . . . . . . . . + . . +
POST   TEAM@rbac.authorization.k8s.io/rolebindings     . . . . . . . . + . . +
GET    RBAC/clusterroles                               . . . . . . . . . . . +
POST   RBAC/clusterrolebindings                        . . . . . . . . . . . +
GET    LEASES/node01                                   . . + . . . . . . . . +
PUT    LEASES/node01                                   . . + . . . . . . . . +
PUT    LEASES/node02                                   . . . + . . . . . . . +
POST   LEASES                                          . . + + . . . . . . . +
GET    LEASES                                          . . . . . . . . . . . +
PUT    TEAM@coordination.k8s.io/leases/leader          . . . . . . . + + . . +
GET    /apis/storage.k8s.io/v1/csinodes/node01         . . + . . . . . . . . +
`;

/** `V1/` and its like, so that a line of the table stays short. */
const shorthands: [RegExp, string][] = [
  [/^V1/, '/api/v1'],
  [/^TEAM@(.*?)\//, '/apis/$1/v1/namespaces/team/'],
  [/^TEAM/, '/api/v1/namespaces/team'],
  [/^SYSTEM/, '/api/v1/namespaces/kube-system'],
  [/^OTHER/, '/api/v1/namespaces/other'],
  [/^LEASES/, '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'],
  [/^AUTHN/, '/apis/authentication.k8s.io/v1'],
  [/^AUTHZ/, '/apis/authorization.k8s.io/v1'],
  [/^RBAC/, '/apis/rbac.authorization.k8s.io/v1'],
];

let api: TestApi;
before(async () => {
  api = await startTestApi();
  const make = async (path: string, body: object) => {
    const { status, text } = await api.request('POST', path, { body });
    assert.equal(status, 201, text);
  };
  await make('/api/v1/namespaces', { metadata: { name: 'team' } });
  const bind = (role: string, kind: string, name: string) =>
    make('/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings', {
      metadata: { name },
      roleRef: { kind: 'ClusterRole', name: role, apiGroup: 'rbac.authorization.k8s.io' },
      subjects: [{ kind, name }],
    });
  await bind('view', 'User', 'viewer');
  await bind('edit', 'User', 'editor');
  await bind('admin', 'User', 'boss');
  await bind('view', 'ServiceAccount', 'robot');
  await make('/api/v1/namespaces/team/serviceaccounts', { metadata: { name: 'runner' } });
  const mode = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  await make('/api/v1/namespaces/team/persistentvolumeclaims', {
    metadata: { name: 'claimed' },
    spec: { ...mode, volumeName: 'behind' },
  });
  await make('/api/v1/namespaces/team/pods', {
    metadata: { name: 'mine' },
    spec: {
      nodeName: 'node01',
      serviceAccountName: 'runner',
      containers: [
        {
          name: 'c',
          image: 'i',
          env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'in-env', key: 'k' } } }],
          envFrom: [{ configMapRef: { name: 'used' } }],
        },
      ],
      volumes: [
        { name: 's', secret: { secretName: 'mounted' } },
        { name: 'p', persistentVolumeClaim: { claimName: 'claimed' } },
      ],
    },
  });
});
after(() => api.stop());

async function isAllowed(user: User, method: string, url: string): Promise<boolean> {
  const [path = '', search = ''] = url.split('?', 2);
  const query = new URLSearchParams(search);
  const info = parsePath(method, path, query, api.server.core.kinds);
  try {
    await authorize(api.server, user, attributesOf(info, method, query));
    return true;
  } catch (error) {
    if (isForbidden(error)) return false;
    throw error;
  }
}

for (const line of TABLE.split('\n').filter((each) => /^[A-Z]/.test(each))) {
  const [, method = '', short = '', cells = ''] = /^(\w+) +(\S+) +([+. ]+)$/.exec(line) ?? [];
  test(`${method} ${short}`, async () => {
    const path = shorthands.reduce((text, [from, to]) => text.replace(from, to), short);
    const users = Object.entries(actors);
    const decided = await Promise.all(users.map(([, user]) => isAllowed(user, method, path)));
    const names = (allowed: readonly boolean[]) => users.flatMap(([name], index) => (allowed[index] ? [name] : []));
    const stated = cells.split(' ').map((cell) => cell === '+');
    assert.equal(stated.length, users.length, 'a cell for everybody');
    assert.deepEqual(names(decided), names(stated));
  });
}
