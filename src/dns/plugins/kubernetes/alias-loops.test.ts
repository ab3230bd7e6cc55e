/** Aliases that lead from block to block and back: each look-up is the whole server's, and there is an end to them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { silentLog } from '../../../lib/log.ts';
import { runDns } from '../../run.ts';
import { CLASS_IN, queryFor, TYPE } from '../../wire/message.ts';
import { rcodeName, recordText } from '../../wire/record-text.ts';

const alias = (name: string, externalName: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'ExternalName', externalName },
  }) as KubeObject;

const objects: KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
  { ...alias('web', ''), spec: { clusterIP: '10.96.0.7' } } as KubeObject,
  alias('there', 'back.default.svc.example.org'),
  alias('back', 'there.default.svc.cluster.local'),
  alias('far', 'web.default.svc.example.org'),
  alias('farther', 'far.default.svc.example.org'),
  ...Array.from({ length: 20 }, (_, at) =>
    alias(`chain-${String(at)}`, `chain-${String(at + 1)}.default.svc.cluster.local`),
  ),
];

const corefile = ['cluster.local', 'example.org']
  .map((zone) => `${zone}:53 {\ncache\nkubernetes ${zone}\n}\n`)
  .join('');

test('aliases from block to block are followed, and end', async () => {
  const client = new FakeClient(objects);
  const dns = runDns({
    client,
    corefile: { file: 'Corefile', text: corefile },
    listen: { addresses: ['127.0.0.1'], port: 0 },
    log: silentLog,
  });
  await dns.ready;
  const ask = async (service: string) => {
    const query = queryFor(1, { name: `${service}.default.svc.cluster.local.`, type: TYPE.A, class: CLASS_IN });
    const reply = await dns.ask(query, { address: '127.0.0.1', port: 1, transport: 'udp' });
    assert.ok(reply);
    const { rcode, answers } = reply.message;
    return {
      code: rcodeName(rcode),
      answers: answers.map((record) => recordText(record).replaceAll('.default.svc', '')),
      reply,
    };
  };

  const far = await ask('far');
  assert.deepEqual(far.answers, [
    'far.cluster.local. 5 IN CNAME web.example.org.',
    'web.example.org. 5 IN A 10.96.0.7',
  ]);
  assert.deepEqual(far.reply.holds, ['service/default/far', 'service/default/web']);
  assert.deepEqual((await ask('farther')).answers, [
    'farther.cluster.local. 5 IN CNAME far.example.org.',
    'far.example.org. 5 IN CNAME web.example.org.',
    'web.example.org. 5 IN A 10.96.0.7',
  ]);

  const ring = await ask('there');
  assert.equal(ring.code, 'NOERROR');
  assert.ok(ring.answers.length >= 2 && ring.answers.length <= 10, ring.answers.join('\n'));
  assert.equal(ring.reply.transient, true);

  const chain = await ask('chain-0');
  assert.equal(chain.answers.length, 9, 'as many aliases as are gone along');
  await dns.stop();
});
