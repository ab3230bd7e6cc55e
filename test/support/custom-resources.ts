/** The definition that tests of custom resources share: the CronTab of Kubernetes' own documentation, with a bit of everything. */
import type { CustomResourceDefinition, DefinitionVersion } from '../../src/api/custom/definition.ts';
import type { JsonSchema } from '../../src/api/custom/schema.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../src/api/kinds.ts';
import type { Client } from '../../src/client/client.ts';

export const cronTabSchema: JsonSchema = {
  type: 'object',
  description: 'Runs something now and then.',
  properties: {
    spec: {
      type: 'object',
      description: 'What is wanted.',
      properties: {
        cronSpec: { type: 'string', description: 'When.', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
        image: { type: 'string' },
        replicas: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
        suspend: { type: 'boolean' },
      },
    },
    status: {
      type: 'object',
      properties: { replicas: { type: 'integer' }, labelSelector: { type: 'string' } },
    },
  },
};

export function cronTabVersion(more: Partial<DefinitionVersion> = {}): DefinitionVersion {
  return {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: cronTabSchema },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.labelSelector',
      },
    },
    additionalPrinterColumns: [
      { name: 'Spec', type: 'string', description: 'When it runs.', jsonPath: '.spec.cronSpec' },
      { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
      { name: 'Image', type: 'string', priority: 1, jsonPath: '.spec.image' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    selectableFields: [{ jsonPath: '.spec.image' }],
    ...more,
  };
}

export function cronTabDefinition(
  versions: DefinitionVersion[] = [cronTabVersion()],
  more: Partial<CustomResourceDefinition['spec']> = {},
): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] },
      versions,
      ...more,
    },
  };
}

export const CRON_TABS = '/apis/stable.example.com/v1/namespaces/default/crontabs';
export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export const cronTab = (name: string, spec: object = {}, more: object = {}): object => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name },
  spec,
  ...more,
});

/** Resolves when `wanted` says so of the definition; undefined: it is gone. */
export async function definitionUntil(
  client: Client,
  wanted: (definition: CustomResourceDefinition | undefined) => boolean,
  name = 'crontabs.stable.example.com',
): Promise<void> {
  const { items, metadata } = await client.list(CUSTOM_RESOURCE_DEFINITIONS);
  let found = items.find((each) => each.metadata.name === name);
  if (wanted(found)) return;
  const { resourceVersion } = metadata;
  for await (const { type, object } of client.watch(CUSTOM_RESOURCE_DEFINITIONS, { resourceVersion })) {
    if (type === 'BOOKMARK' || object.metadata.name !== name) continue;
    found = type === 'DELETED' ? undefined : object;
    if (wanted(found)) return;
  }
}

export const isEstablished = (definition: CustomResourceDefinition | undefined): boolean =>
  definition?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') === true;
