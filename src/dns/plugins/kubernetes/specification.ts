/** Reads `testdata`: questions with their answers in the words of zone files, and the cluster they are asked about. For tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { EndpointSlice, KubeObject, Namespace, Pod, Service } from '../../../api/types.ts';
import type { Place } from '../../corefile/directive.ts';
import { CLASS_IN, TYPE, type Message, type Question, type Record } from '../../wire/message.ts';
import { parseType, rcodeName, recordText } from '../../wire/record-text.ts';
import { fixedView, type ClusterView } from './cluster-view.ts';
import type { ServiceImport } from './service-import.ts';

const TESTDATA = join(import.meta.dirname, 'testdata');

export interface Section {
  /** The directive `kubernetes`, on as many lines as it needs. */
  readonly directive: string;
  readonly rows: readonly Row[];
}

const CODES = ['NOERROR', 'NODATA', 'NXDOMAIN', 'REFUSED', 'SERVFAIL'] as const;

export interface Row {
  readonly ids: readonly string[];
  readonly question: Question;
  readonly code: (typeof CODES)[number];
  readonly isUpstream: boolean;
  readonly answers: readonly string[];
  readonly additionals: readonly string[];
  /** For messages: the line it stands at. */
  readonly line: number;
}

/** What the server behind knows, and nothing else. */
export const OUTSIDE: readonly Record[] = [
  { name: 'www.example.com.', ttl: 60, type: TYPE.A, address: '192.0.2.1' },
  { name: '1.2.0.192.in-addr.arpa.', ttl: 60, type: TYPE.PTR, target: 'www.example.com.' },
  { name: 'extra.default.svc.cluster.local.', ttl: 60, type: TYPE.A, address: '192.0.2.2' },
];

export type Draft = Row & { answers: string[]; additionals: string[] };

/** @throws Error with the line that is not understood */
export function readSpecification(): Section[] {
  const sections: { directive: string; rows: Draft[] }[] = [];
  const text = readFileSync(join(TESTDATA, 'specification.zone'), 'utf8');
  for (const [at, line] of text.split('\n').entries()) {
    const rows = sections.at(-1)?.rows;
    if (line.trim() === '' || line.startsWith(';')) continue;
    if (line.startsWith('$COREFILE ')) sections.push({ directive: onLines(line.slice(10)), rows: [] });
    else if (line.startsWith('  + ')) rows?.at(-1)?.additionals.push(line.slice(4));
    else if (line.startsWith('    ')) rows?.at(-1)?.answers.push(line.slice(4));
    else rows?.push(readRow(line, { file: 'specification.zone', line: at + 1 }));
  }
  return sections;
}

/** `a { b; c }` on as many lines as it needs. */
export const onLines = (text: string): string =>
  text.replaceAll(' { ', ' {\n').replaceAll('; ', '\n').replaceAll(/ \}/g, '\n}');

/** @throws Error where the line is no question */
export function readRow(line: string, at: Place): Draft {
  const [ids = '', name = '', typeText = '', ...words] = line.split(' ');
  const type = parseType(typeText);
  const code = words.find((word) => word !== 'upstream') ?? 'NOERROR';
  const isCode = CODES.some((known) => known === code);
  if (!/^4-\d{3}(,4-\d{3})*$/.test(ids) || !name.endsWith('.') || type === undefined || !isCode) {
    throw new Error(`${at.file}:${String(at.line)}: "${line}" is no question`);
  }
  return {
    ids: ids.split(','),
    question: { name, type, class: CLASS_IN },
    code: code as Row['code'],
    isUpstream: words.includes('upstream'),
    answers: [],
    additionals: [],
    line: at.line,
  };
}

/** The same for a message as for a row: what would have to be written for it. */
export function spelled(message: Message): Pick<Row, 'code' | 'answers' | 'additionals'> {
  const isEmpty = message.rcode === 0 && message.answers.length === 0;
  return {
    code: (isEmpty ? 'NODATA' : rcodeName(message.rcode)) as Row['code'],
    answers: inOrder(message.answers.map(recordText)),
    additionals: inOrder(message.additionals.map(recordText)),
  };
}

/** Records of one name have no order; aliases have. */
export function inOrder(records: readonly string[]): string[] {
  const texts = records.map((text) => text.replace(/( hostmaster\.\S*) \d+ /, '$1 SERIAL '));
  return texts.some((text) => text.includes(' IN CNAME ')) ? texts : texts.sort();
}

export function readCluster(): KubeObject[] {
  const text = readFileSync(join(TESTDATA, 'cluster.yaml'), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

/** What the API server would let through these selectors. */
export function viewOf(
  objects: readonly KubeObject[],
  hides: (object: KubeObject) => boolean = () => false,
): ClusterView {
  const of = <T extends KubeObject>(kind: string) =>
    objects.filter((object): object is T => object.kind === kind && !hides(object));
  return fixedView({
    namespaces: of<Namespace>('Namespace').map(({ metadata }) => metadata.name),
    services: of<Service>('Service'),
    slices: of<EndpointSlice>('EndpointSlice'),
    pods: of<Pod>('Pod'),
    imports: of<ServiceImport>('ServiceImport'),
  });
}
