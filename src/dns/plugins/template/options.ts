/** `template CLASS TYPE [ZONE...] { … }` as it is written. Pure. */
import type { RE2JS } from 're2js';
import type { Directive } from '../../corefile/directive.ts';
import { expectExpression } from '../../corefile/expression.ts';
import { expectArgs, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import { RCODE } from '../../wire/message.ts';
import { parseClass, parseRcode, parseType } from '../../wire/record-text.ts';
import { noFallthrough, parseFallthrough, zoneArgs, type Fallthrough } from '../../routing/zone-list.ts';
import { compileTemplate, type Template } from './go-template.ts';

export const SECTIONS = ['answer', 'additional', 'authority'] as const;
export type Section = (typeof SECTIONS)[number];

export interface NamedTemplate {
  /** As written. */
  readonly text: string;
  readonly template: Template;
}

export interface TemplateOptions {
  readonly className: string;
  readonly class: number;
  readonly typeName: string;
  readonly type: number;
  readonly zones: readonly string[];
  /** None: every name matches. */
  readonly expressions: readonly RE2JS[];
  readonly sections: Readonly<Record<Section, readonly NamedTemplate[]>>;
  readonly rcode: number;
  /** RFC 8914. */
  readonly extendedError?: { readonly code: number; readonly reason: string };
  readonly fallthrough: Fallthrough;
}

/** @throws CorefileError */
export function parseTemplate(directive: Directive, blockZones: readonly string[]): TemplateOptions {
  const [className = '', typeName = '', ...zones] = expectArgs(directive, 2, Infinity, 'a class and a type');
  const [klass, type] = [parseClass(className), parseType(typeName)];
  if (klass === undefined) refuse(directive, `"${className}" is no class, there are IN, CH, HS and ANY`);
  if (type === undefined) refuse(directive, `"${typeName}" is no type of records`);
  const expressions: RE2JS[] = [];
  const sections: Record<Section, NamedTemplate[]> = { answer: [], additional: [], authority: [] };
  let rcode: number = RCODE.NOERROR;
  let extendedError: TemplateOptions['extendedError'];
  let fallthrough = noFallthrough;
  const addTo = (section: Section) => (option: Directive) => {
    for (const text of expectArgs(option, 1, Infinity, 'a record in quotes')) {
      sections[section].push(parseRecordTemplate(option, text));
    }
  };
  readOptions(directive, {
    match(option) {
      const texts = expectArgs(option, 1, Infinity, 'regular expressions');
      expressions.push(...texts.map((text) => expectExpression(option, text)));
    },
    answer: addTo('answer'),
    additional: addTo('additional'),
    authority: addTo('authority'),
    rcode(option) {
      const [text = ''] = expectArgs(option, 1, 1, 'a code such as NXDOMAIN');
      rcode = parseRcode(text) ?? refuse(option, `"${text}" is no code such as NXDOMAIN`);
    },
    ederror(option) {
      const [code, reason = ''] = expectArgs(option, 1, 2, 'a number and a reason');
      extendedError = { code: expectNumber(option, code, 0, 0xffff), reason };
    },
    fallthrough: (option) => void (fallthrough = parseFallthrough(option)),
    upstream: () => undefined,
  });
  return {
    className: className.toUpperCase(),
    class: klass,
    typeName: typeName.toUpperCase(),
    type,
    zones: zoneArgs(directive, zones, blockZones),
    expressions,
    sections,
    rcode,
    ...(extendedError && { extendedError }),
    fallthrough,
  };
}

function parseRecordTemplate(option: Directive, text: string): NamedTemplate {
  try {
    return { text, template: compileTemplate(text) };
  } catch (error) {
    refuse(option, error instanceof Error ? error.message : String(error));
  }
}
