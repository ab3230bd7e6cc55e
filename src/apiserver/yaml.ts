/** Answers in YAML (feature 8-017): keys in order, as Kubernetes writes them, and every text read back as a text by YAML 1.1 and 1.2 alike. */
import { defineScalarTag, dump, NOT_RESOLVED, YAML11_SCHEMA } from 'js-yaml';

/** What YAML 1.2 takes for a number and 1.1 does not: it makes the writer quote such a text. */
const number = defineScalarTag('tag:yaml.org,2002:number12', {
  implicit: true,
  resolve: (text) => (/^([-+]?[.\d]+([eE][-+]?\d+)?|0[ox][\da-fA-F]+)$/.test(text) ? text : NOT_RESOLVED),
  identify: () => false,
});
const schema = YAML11_SCHEMA.withTags(number);

export function toYaml(value: unknown): string {
  return dump(value, { schema, noRefs: true, sortKeys: true, lineWidth: -1 });
}
