/** The report for people. Pure. */
import { table } from '../../lib/text.ts';
import type { QueryReport, ReportQuestion, ReportStep } from './report.ts';
import type { Ending } from './lookup.ts';

export function renderReport(report: QueryReport): string {
  const parts = [head(report), resolverPart(report), questions(report), whence(report), end(report), hints(report)];
  return parts.filter((part) => part !== '').join('\n');
}

const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

function head({ name, types, from }: QueryReport): string {
  const places = {
    pod: `Pod ${from.namespace ?? ''}/${from.pod ?? ''} on ${from.node}${from.hostNetwork ? ' (network of the node)' : ''}`,
    node: `node ${from.node}`,
    here: 'this machine',
    server: `node ${from.node}, straight to its DNS server`,
  };
  return table([
    ['Name', name],
    ['Types', types.join(', ')],
    ['From', places[from.kind]],
  ]);
}

function resolverPart({ resolver }: QueryReport): string {
  if (!resolver) return '';
  const title = resolver.source === 'file' ? 'resolv.conf' : 'resolv.conf (as the kubelet writes it)';
  return `${title}:\n${resolver.resolvConf
    .trim()
    .split('\n')
    .map((line) => `  ${line}\n`)
    .join('')}`;
}

function questions({ steps }: QueryReport): string {
  const rows = steps.flatMap((step, index) =>
    step.questions.flatMap((question, at) => {
      const isFirst = at === 0;
      const [answer = '', ...more] = answersOf(question);
      const row = [
        isFirst ? String(index + 1) : '',
        isFirst ? step.name : '',
        isFirst ? tryOf(step) : '',
        question.type,
        question.rcode ?? question.outcome.toUpperCase(),
        question.served ? question.served.plugin || '-' : (question.rcode ?? '') === '' ? '-' : question.server,
        ms(question.ms),
        answer,
      ];
      return [row, ...more.map((text) => ['', '', '', '', '', '', '', text])];
    }),
  );
  return table([['TRY', 'NAME', 'BECAUSE', 'TYPE', 'RCODE', 'BY', 'TIME', 'ANSWER'], ...rows]);
}

function tryOf({ search, onlyMusl }: ReportStep): string {
  const why = search === undefined ? 'as it is' : `search ${search}`;
  return onlyMusl ? `${why} (musl only)` : why;
}

/** Without the name, where it is the one that was asked for. */
function answersOf({ name, answers, error }: ReportQuestion): string[] {
  if (error !== undefined) return [error];
  return answers.map((text) => (text.startsWith(`${name} `) ? text.slice(name.length + 1) : text));
}

/** What the server did for each question; types of one name that were answered in the same way share a line. */
function whence({ steps }: QueryReport): string {
  const rows = steps.flatMap(({ questions: asked }) =>
    [
      ...Map.groupBy(
        asked.filter(({ served }) => served),
        ({ name, served }) => JSON.stringify([name, linesOf(served)]),
      ),
    ]
      .map(([, same]) => same)
      .flatMap((same) => {
        const times = same.map(({ served }) => ms(served?.took ?? 0)).join(', ');
        const [first] = same;
        return linesOf(first?.served).map((line, at) =>
          at === 0 ? [first?.name ?? '', same.map(({ type }) => type).join(', '), times, line] : ['', '', '', line],
        );
      }),
  );
  return rows.length === 0 ? '' : table([['NAME', 'TYPE', 'IN THE SERVER', 'HOW IT WAS ANSWERED'], ...rows]);
}

function linesOf(served: ReportQuestion['served']): string[] {
  if (!served) return [];
  const { plugin, source, problem, trail } = served;
  const steps = trail.map((step) => `${step.plugin}: ${step.text}`);
  const isTold = (text: string) => steps.some((step) => step.includes(text));
  const more = [
    ...(source === undefined || isTold(source) ? [] : [`${plugin}: ${source}`]),
    ...(problem === undefined || isTold(problem) ? [] : [`${plugin || 'the server'}: ${problem}`]),
  ];
  const lines = [...steps, ...more];
  return lines.length > 0 ? lines : [plugin === '' ? 'no plugin of the Corefile answered' : `${plugin}: answered`];
}

const MEANING: Readonly<Record<Ending['verdict'], string>> = {
  found: 'an answer',
  EAI_NONAME: 'EAI_NONAME, "Name or service not known"',
  EAI_NODATA: 'EAI_NODATA, "No address associated with hostname"',
  EAI_AGAIN: 'EAI_AGAIN, "Temporary failure in name resolution"',
};

/** For types that getaddrinfo does not ask for. */
const PLAIN: Readonly<Record<Ending['verdict'], string>> = {
  found: 'an answer',
  EAI_NONAME: 'no such name',
  EAI_NODATA: 'no records of this type',
  EAI_AGAIN: 'no answer: the servers fail',
};

function end({ steps, types, endings, resolver }: QueryReport): string {
  const total = steps.reduce((sum, step) => sum + Math.max(0, ...step.questions.map((one) => one.ms)), 0);
  const count = steps.reduce((sum, step) => sum + step.questions.length, 0);
  const found = steps.find(({ outcome }) => outcome === 'found');
  const values = found?.questions.flatMap(({ answers, type }) =>
    answers.flatMap((text) => new RegExp(` IN ${type} (.*)$`).exec(text)?.[1] ?? []),
  );
  const meaning = types.every((type) => type === 'A' || type === 'AAAA') ? MEANING : PLAIN;
  const said = (ending: Ending) => (ending.verdict === 'found' && values ? values.join(', ') : meaning[ending.verdict]);
  const { glibc, musl } = endings;
  const same = glibc.verdict === musl.verdict;
  const lines = same
    ? [['The application gets', said(glibc)]]
    : [
        [`The application gets${resolver?.libc === 'glibc' ? ' (this one)' : ''}`, `glibc: ${said(glibc)}`],
        [resolver?.libc === 'musl' ? '(this one)' : '', `musl: ${said(musl)}`],
      ];
  return table([...lines, ['Questions', `${String(count)} in ${ms(total)}`]]);
}

function hints({ hints: all }: QueryReport): string {
  return all
    .map(({ failure, text, remedy }) => {
      const first = `! ${text}${failure === undefined ? '' : ` (${failure})`}\n`;
      return remedy === undefined ? first : `${first}  ${remedy}\n`;
    })
    .join('');
}
