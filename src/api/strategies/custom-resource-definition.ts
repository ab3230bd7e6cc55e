/** CustomResourceDefinitions: what they default, keep and refuse (apiextensions.k8s.io/v1). */
import { storageVersionOf, type CustomResourceDefinition } from '../custom/definition.ts';
import { compileRule } from '../custom/cel.ts';
import { isKnownFormat } from '../custom/formats.ts';
import { isRecord, type JsonSchema } from '../custom/schema.ts';
import { validateDefinition, validateDefinitionUpdate, validateStoredVersions } from '../custom/validate-definition.ts';
import { defineStrategy } from '../define-strategy.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../kinds.ts';

export const customResourceDefinitionStrategy = defineStrategy(CUSTOM_RESOURCE_DEFINITIONS, {
  keepsGeneration: true,
  applyDefaults(definition: CustomResourceDefinition) {
    const { spec: given } = definition;
    // What was decoded may lack it, whatever the type says.
    const nothing = { group: '', names: { plural: '', kind: '' }, scope: '', versions: [] };
    const spec = { ...nothing, ...(given as CustomResourceDefinition['spec'] | undefined) };
    definition.spec = spec;
    const { names }: CustomResourceDefinition['spec'] = spec;
    if (names.kind) {
      names.singular ||= names.kind.toLowerCase();
      names.listKind ||= `${names.kind}List`;
    }
    spec.conversion ??= { strategy: 'None' };
    if (spec.preserveUnknownFields === false) delete spec.preserveUnknownFields;
  },
  initialStatus: (definition: CustomResourceDefinition) => ({
    conditions: [],
    acceptedNames: { kind: '', plural: '' },
    storedVersions: storedVersionsOf(definition),
  }),
  prepareForUpdate(definition) {
    const storedVersions = storedVersionsOf(definition);
    definition.status = { ...definition.status, storedVersions };
  },
  validate: validateDefinition,
  validateUpdate: validateDefinitionUpdate,
  validateStatusUpdate: validateStoredVersions,
  warnings(definition, old) {
    const before = new Set(old ? warningsOf(old) : []);
    return warningsOf(definition).filter((text) => !before.has(text));
  },
});

/** Those there were and the one that is written from now on. */
function storedVersionsOf(definition: CustomResourceDefinition): string[] {
  const before = definition.status?.storedVersions ?? [];
  const storage = storageVersionOf(definition)?.name;
  return storage === undefined || before.includes(storage) ? before : [...before, storage];
}

function warningsOf({ spec }: CustomResourceDefinition): string[] {
  const texts = spec.versions.flatMap(({ schema }) =>
    schema?.openAPIV3Schema ? warningsIn(schema.openAPIV3Schema) : [],
  );
  return [...new Set(texts)];
}

function warningsIn(schema: JsonSchema): string[] {
  const own: string[] = [];
  const { format, properties = {}, additionalProperties, items } = schema;
  if (format && !isKnownFormat(format)) own.push(`unrecognized format ${JSON.stringify(format)}`);
  for (const { rule } of schema['x-kubernetes-validations'] ?? []) {
    const compiled = compileRule(rule);
    if ('rule' in compiled || compiled.supported) continue;
    own.push(`the rule ${JSON.stringify(rule)} is not enforced here: ${compiled.problem}`);
  }
  const inner = [...Object.values(properties), additionalProperties, items].filter((each) => isRecord(each));
  return [...own, ...inner.flatMap((each) => warningsIn(each as JsonSchema))];
}
