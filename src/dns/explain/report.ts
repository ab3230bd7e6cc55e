/** What `fairway dns query` found out: the look-up, and to each question what the DNS server of the node says of its answer. */
import type { QueryRecord } from '../query-log/tap.ts';
import type { TrailStep } from '../plugin.ts';
import { rcodeName, typeName } from '../wire/record-text.ts';
import type { Hint } from './hints.ts';
import type { Ending, Heard, Lookup } from './lookup.ts';
import type { Libc } from './resolver-settings.ts';
import type { Outcome } from './search-list.ts';

export interface ReportFrom {
  /** `here`: the machine that the command runs on, which may be no node. */
  readonly kind: 'pod' | 'node' | 'server' | 'here';
  readonly node: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly hostNetwork?: boolean;
}

export interface ReportResolver {
  /** The text of the resolv.conf in force. */
  readonly resolvConf: string;
  /** `file`: read as it is there; `computed`: what the kubelet writes for such a Pod. */
  readonly source: 'file' | 'computed';
  /** What the kubelet would write now, where that is something else. */
  readonly expected?: string;
  /** Where the container's files tell. */
  readonly libc?: Libc;
}

/** What this node's DNS server did for one question. */
export interface ReportServed {
  readonly plugin: string;
  /** An upstream's address, "stale, 12 s too old". */
  readonly source?: string;
  readonly problem?: string;
  readonly trail: readonly TrailStep[];
  /** ms in the server. */
  readonly took: number;
}

export interface ReportQuestion {
  readonly name: string;
  readonly type: string;
  readonly server: string;
  readonly transport: 'udp' | 'tcp';
  readonly outcome: Outcome;
  readonly rcode?: string;
  readonly answers: readonly string[];
  /** From the asker's side. */
  readonly ms: number;
  readonly error?: string;
  /** Absent: another server than this node's answered, or none. */
  readonly served?: ReportServed;
}

export interface ReportStep {
  readonly name: string;
  /** The entry of the search list; absent: the name as it was given. */
  readonly search?: string;
  readonly outcome: Outcome;
  readonly onlyMusl?: true;
  readonly questions: readonly ReportQuestion[];
}

export interface QueryReport {
  readonly name: string;
  readonly types: readonly string[];
  readonly from: ReportFrom;
  readonly resolver?: ReportResolver;
  readonly steps: readonly ReportStep[];
  readonly endings: Readonly<Record<Libc, Ending>>;
  readonly hints: readonly Hint[];
}

export function stepsOf(lookup: Lookup, records: readonly QueryRecord[]): ReportStep[] {
  return lookup.steps.map(({ candidate, outcome, onlyMusl, heard }) => ({
    name: candidate.name,
    ...(candidate.search !== undefined && { search: candidate.search }),
    outcome,
    ...(onlyMusl && { onlyMusl }),
    questions: heard.map((one) => questionOf(one, records)),
  }));
}

function questionOf(heard: Heard, records: readonly QueryRecord[]): ReportQuestion {
  const { name, type, server, transport, outcome, rcode, answers, ms, error } = heard;
  const record = records.find((each) => isOf(heard, each));
  return {
    name,
    type: typeName(type),
    server,
    transport,
    outcome,
    ...(rcode !== undefined && { rcode: rcodeName(rcode) }),
    answers,
    ms: rounded(ms),
    ...(error !== undefined && { error }),
    ...(record && { served: servedOf(record) }),
  };
}

/** To microseconds. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** The question as it came to the server: addresses and ports may have been rewritten on the way, the id is not. */
const isOf = ({ id, name, type, transport }: Heard, record: QueryRecord): boolean =>
  record.id === id &&
  record.question.type === type &&
  record.asker.transport === transport &&
  record.question.name.toLowerCase() === name.toLowerCase();

function servedOf({ reply, error, took, trail }: QueryRecord): ReportServed {
  const problem = error ?? reply?.problem;
  return {
    plugin: reply?.from ?? '',
    ...(reply?.source !== undefined && { source: reply.source }),
    ...(problem !== undefined && { problem }),
    trail,
    took: rounded(took),
  };
}
