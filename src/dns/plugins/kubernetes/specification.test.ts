/** Every row of sections 4.1 and 4.2 of the features: as `testdata/specification.zone` has it, or by a test named here. */
import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';
import { parseLabelSelector } from '../../../api/selectors.ts';
import type { KubeObject } from '../../../api/types.ts';
import { FakeClient } from '../../../client/fake-client.ts';
import { silentLog } from '../../../lib/log.ts';
import { askTcp, askUdp, knowing } from '../../asking.ts';
import { parseCorefile } from '../../corefile/parse.ts';
import type { Handler, Query, Reply } from '../../plugin.ts';
import { runDns, type RunningDns } from '../../run.ts';
import { queryFor, type Message } from '../../wire/message.ts';
import { recordText } from '../../wire/record-text.ts';
import { soaRecord } from './answer.ts';
import { answerFrom } from './handler.ts';
import { parseKubernetes } from './options.ts';
import { rulesOf } from './rules.ts';
import { fakeUpstream, type FakeUpstream } from '../forward/fake-upstream.ts';
import { SERVICE_IMPORTS, type ServiceImport } from './service-import.ts';
import {
  inOrder,
  OUTSIDE,
  readCluster,
  readSpecification,
  spelled,
  viewOf,
  type Row,
  type Section,
} from './specification.ts';
import { labelsOf } from '../../wire/domain-name.ts';

/** Rows that are no question and answer, with the tests that prove them. */
const ELSEWHERE: Readonly<{ [id: string]: string }> = {
  '4-019': 'watched-cluster.test.ts: only what the options need is watched',
  '4-023': 'watched-cluster.test.ts: until everything has been listed no name is denied',
  '4-042':
    'options.test.ts, plugin.test.ts, specification.kernel.test.ts: the API server is the one that a kubeconfig names',
  '4-045': 'plugin.test.ts: metadata',
};

const objects = readCluster();
const sections = readSpecification();
test('every row of sections 4.1 and 4.2 is asked about or proved elsewhere', () => {
  const asked = new Set(sections.flatMap(({ rows }) => rows.flatMap(({ ids }) => ids)));
  const all = Array.from({ length: 45 }, (_, at) => `4-${String(at + 1).padStart(3, '0')}`);
  assert.deepEqual(
    all.filter((id) => !asked.has(id) && ELSEWHERE[id] === undefined),
    [],
  );
  assert.deepEqual(
    [...asked].filter((id) => !all.includes(id)),
    [],
  );
});

function parsed(directive: string) {
  const [block] = parseCorefile(`. {\n${directive}\n}\n`, { file: 'Corefile', environment: () => undefined });
  const found = block?.directives[0];
  assert.ok(found);
  const options = parseKubernetes(found, ['.']);
  return { options, rules: rulesOf(options.rules) };
}

/** What the API server holds back for the selectors of the options, and what is not asked for. */
function hiddenBy({ options, rules }: ReturnType<typeof parsed>): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(options.labels ?? '');
  const namespaceLabels = parseLabelSelector(options.namespaceLabels ?? '');
  return (object) => {
    if (object.kind === 'Namespace') return !namespaceLabels.matches(object.metadata.labels);
    if (object.kind === 'EndpointSlice' && !options.endpoints) return true;
    if (object.kind === 'Pod' && (rules.pods !== 'verified' || object.metadata.name === 'over')) return true;
    return !labels.matches(object.metadata.labels);
  };
}

/** The handler alone, before a server that knows OUTSIDE. */
function handlerFor({ directive }: Section): Handler {
  const setting = parsed(directive);
  const { options, rules } = setting;
  const view = { ...viewOf(objects, hiddenBy(setting)), hasSynced: () => true };
  const next = ({ message, question }: Query): Reply => ({
    message: knowing(OUTSIDE, { ...message, questions: [question] }),
    from: 'forward',
  });
  const lookUp = (question: Query['question'], query: Query) => Promise.resolve(handler({ ...query, question }));
  const handler = answerFrom(
    () => view,
    { rules, lookUp, ...(options.fallthrough && { fallthrough: options.fallthrough }) },
    next,
  );
  return handler;
}

function check(row: Row, directive: string, message: Message | undefined): void {
  const where = `specification.zone:${String(row.line)} ${row.question.name}`;
  assert.ok(message, where);
  const expected = {
    code: row.code,
    answers: inOrder(row.answers),
    additionals: inOrder(row.additionals),
  };
  assert.deepEqual(spelled(message), expected, where);
  if (row.code === 'REFUSED') return;
  assert.equal(message.authoritative, !row.isUpstream, `${where}: AA`);
  if (row.isUpstream) return;
  const { rules } = parsed(directive);
  const zone = rules.zones.find(labelsOf(row.question.name.toLowerCase()));
  const soa = zone && row.answers.length === 0 ? [recordText(soaRecord(0, zone, rules.ttl))] : [];
  assert.deepEqual(inOrder(message.authorities.map(recordText)), inOrder(soa), `${where}: authority`);
}

describe('answered from objects that never change', () => {
  for (const section of sections) {
    test(section.directive.replaceAll('\n', ' '), async () => {
      const handler = handlerFor(section);
      for (const row of section.rows.filter(({ code }) => code !== 'REFUSED')) {
        const message = queryFor(1, row.question);
        const asker = { address: '127.0.0.1', port: 1, transport: 'udp' } as const;
        const reply = await handler({ message, question: row.question, asker, at: 0 });
        check(row, section.directive, reply?.message);
      }
    });
  }
});

describe('answered by the whole server', () => {
  let upstream: FakeUpstream;
  let dns: RunningDns;
  let port = 0;

  const corefile = ({ directive }: Section) => `.:53 {\n${directive}\nforward . ${upstream.to}\n}\n`;

  before(async () => {
    const imports = objects.filter((object): object is ServiceImport => object.kind === 'ServiceImport');
    const client = new FakeClient(objects.filter(({ kind }) => kind !== 'ServiceImport'));
    for (const each of imports) await client.create(SERVICE_IMPORTS, each);
    upstream = await fakeUpstream(({ query }) => knowing(OUTSIDE, query));
    const [first] = sections;
    assert.ok(first);
    dns = runDns({
      client,
      corefile: { file: 'Corefile', text: corefile(first) },
      listen: { addresses: ['127.0.0.1'], port: 0 },
      log: silentLog,
    });
    port = (await dns.listening).get(53) ?? 0;
  });

  after(async () => {
    await dns.stop();
    await upstream.close();
  });

  for (const section of sections) {
    test(section.directive.replaceAll('\n', ' '), async () => {
      await dns.load(corefile(section));
      const questions = section.rows.map(({ question }) => question);
      for (const ask of [askUdp, askTcp]) {
        const answers = await ask(port, questions);
        for (const [at, row] of section.rows.entries()) check(row, section.directive, answers[at]);
      }
    });
  }
});
