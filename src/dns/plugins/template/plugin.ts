/** `template CLASS TYPE [ZONE...]`: answers made of the question. */
import type { RE2JS } from 're2js';
import { Value } from '../../../lib/prometheus.ts';
import type { Block, Handler, Plugin, Query, Reply } from '../../plugin.ts';
import { RCODE, replyTo, TYPE, type EdnsOption, type Record } from '../../wire/message.ts';
import { parseRecord } from '../../wire/record-parse.ts';
import { className, typeName } from '../../wire/record-text.ts';
import { longestZone } from '../../routing/zone-list.ts';
import type { TemplateData } from './go-template.ts';
import { parseTemplate, type NamedTemplate, type Section, type TemplateOptions } from './options.ts';

const ANY = 255;
/** RFC 8914. */
const EXTENDED_ERROR = 15;

export const templatePlugin: Plugin = {
  name: 'template',
  setup(directives, block) {
    const templates = directives.map((directive) => parseTemplate(directive, block.zones));
    const figures = figuresOf(block);
    return {
      // Which names it leaves to the plugins behind depends on the question alone.
      transparent: true,
      anyClass: templates.some((template) => template.class !== 1),
      wrap: (next) => (query) => answer(templates, block, figures, next, query),
    };
  },
};

type Figures = ReturnType<typeof figuresOf>;

function figuresOf({ runtime: { metrics } }: Block) {
  const counter = (name: string, help: string) =>
    metrics.add(new Value('counter', `coredns_template_${name}`, help, []));
  return {
    matches: counter('matches_total', 'Questions that a template answered.'),
    templateFailures: counter('template_failures_total', 'Templates that could not be filled in.'),
    recordFailures: counter('rr_failures_total', 'Templates that gave no record.'),
  };
}

function answer(
  templates: readonly TemplateOptions[],
  block: Block,
  figures: Figures,
  next: Handler,
  query: Query,
): Reply | undefined | Promise<Reply | undefined> {
  for (const template of templates) {
    const matched = matchOf(template, query);
    if (matched === 'other') continue;
    if (matched === 'none') {
      if (template.fallthrough(query.question.name)) continue;
      return failed(query, undefined);
    }
    const { server } = block;
    const labels = { server, zone: matched.fields['Zone'] ?? '', view: '' };
    figures.matches.add(1, { ...labels, class: template.className, type: template.typeName });
    if (template.rcode === RCODE.SERVFAIL) return failed(query, undefined);
    return filledIn(template, matched, { block, figures, query });
  }
  return next(query);
}

/** `other`: not for names, classes or types like this; `none`: no expression fits. */
function matchOf(template: TemplateOptions, query: Query): TemplateData | 'other' | 'none' {
  const { question, asker, metadata } = query;
  const zone = longestZone(template.zones, question.name);
  const isIts = (own: number, asked: number) => own === ANY || asked === ANY || own === asked;
  if (zone === undefined || !isIts(template.class, question.class)) return 'other';
  if (template.type !== TYPE.ANY && template.type !== question.type) return 'other';
  const name = question.name.toLowerCase();
  const found = firstMatch(template.expressions, name);
  if (!found) return 'none';
  const fields = {
    Zone: zone,
    Name: name,
    Class: className(question.class),
    Type: typeName(question.type),
    Remote: asker.address,
  };
  return { fields, ...found, meta: (label) => metadata?.get(label)?.() ?? '' };
}

function firstMatch(expressions: readonly RE2JS[], name: string): Pick<TemplateData, 'match' | 'group'> | undefined {
  if (expressions.length === 0) return { match: [name], group: {} };
  for (const expression of expressions) {
    const matcher = expression.matcher(name);
    if (!matcher.find()) continue;
    const match = Array.from({ length: matcher.groupCount() + 1 }, (_, at) => matcher.group(at) ?? '');
    const named = Object.keys(expression.namedGroups());
    return { match, group: Object.fromEntries(named.map((group) => [group, matcher.group(group) ?? ''])) };
  }
  return undefined;
}

interface Around {
  readonly block: Block;
  readonly figures: Figures;
  readonly query: Query;
}

async function filledIn(template: TemplateOptions, data: TemplateData, around: Around): Promise<Reply> {
  const { query, block } = around;
  try {
    const [answers, additionals, authorities] = (['answer', 'additional', 'authority'] as const).map((section) =>
      template.sections[section].map((each) => recordOf(section, each, data, template, around)),
    );
    const behind = await behindAlias(answers?.at(-1), query, block);
    const { edns } = query.message;
    const options = extendedError(template);
    return {
      message: {
        ...replyTo(query.message, template.rcode),
        authoritative: true,
        truncated: behind?.message.truncated ?? false,
        answers: [...(answers ?? []), ...(behind?.message.answers ?? [])],
        authorities: authorities ?? [],
        additionals: additionals ?? [],
        ...(edns && { edns: { ...edns, options } }),
      },
      from: 'template',
    };
  } catch (error) {
    return failed(query, error instanceof Error ? error.message : String(error));
  }
}

/** What an alias leads to belongs to the answer, for whoever asked for addresses. */
function behindAlias(last: Record | undefined, query: Query, { lookUp }: Block) {
  const { type } = query.question;
  if (last?.type !== TYPE.CNAME || (type !== TYPE.A && type !== TYPE.AAAA)) return undefined;
  return lookUp?.({ ...query.question, name: last.target }, query);
}

function extendedError({ extendedError: error }: TemplateOptions): readonly EdnsOption[] {
  if (!error) return [];
  return [
    {
      code: EXTENDED_ERROR,
      bytes: Buffer.concat([Buffer.of(error.code >> 8, error.code & 255), Buffer.from(error.reason)]),
    },
  ];
}

function recordOf(
  section: Section,
  { text, template }: NamedTemplate,
  data: TemplateData,
  { className: klass, typeName: type }: TemplateOptions,
  { block, figures }: Around,
): Record {
  const labels = {
    server: block.server,
    zone: data.fields['Zone'] ?? '',
    view: '',
    class: klass,
    type,
    section,
    template: text,
  };
  let line: string;
  try {
    line = template(data);
  } catch (error) {
    figures.templateFailures.add(1, labels);
    throw error;
  }
  const record = parseRecord(line);
  if (typeof record !== 'string') return record;
  figures.recordFailures.add(1, labels);
  throw new Error(`"${line}" is no record: ${record}`);
}

const failed = ({ message }: Query, problem: string | undefined): Reply => ({
  message: replyTo(message, RCODE.SERVFAIL),
  from: 'template',
  transient: true,
  ...(problem !== undefined && { problem }),
});
