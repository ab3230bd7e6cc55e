/**
 * CustomResourceDefinitions of apiextensions.k8s.io/v1beta1: what is the same for all versions stands once, at the top; a single version may
 * be named there alone; and unknown fields are kept unless the definition says otherwise.
 */
import { deepEqual } from '../deep-equal.ts';
import type { CustomResourceDefinition, DefinitionVersion, PrinterColumn } from '../custom/definition.ts';
import type { KubeObject } from '../types.ts';
import type { Conversion } from './conversion.ts';

type OldColumn = Omit<PrinterColumn, 'jsonPath'> & { JSONPath: string };
interface Parts {
  validation?: DefinitionVersion['schema'];
  subresources?: DefinitionVersion['subresources'];
  additionalPrinterColumns?: OldColumn[];
}
type OldVersion = Omit<DefinitionVersion, 'additionalPrinterColumns'> & Pick<Parts, 'additionalPrinterColumns'>;
type Webhook = { clientConfig?: unknown; conversionReviewVersions?: string[] };
type Spec = CustomResourceDefinition['spec'];
interface OldSpec extends Omit<Spec, 'versions' | 'conversion'>, Parts {
  version?: string;
  versions?: OldVersion[];
  conversion?: { strategy: string; webhookClientConfig?: unknown; conversionReviewVersions?: string[] };
}

const toOldColumns = (columns: PrinterColumn[]): OldColumn[] =>
  columns.map(({ jsonPath, ...column }) => ({ ...column, JSONPath: jsonPath }));
const fromOldColumns = (columns: OldColumn[]): PrinterColumn[] =>
  columns.map(({ JSONPath, ...column }) => ({ ...column, jsonPath: JSONPath }));

/** The value all versions have, if they all have one and it is the same. */
function shared<K extends keyof DefinitionVersion>(versions: readonly DefinitionVersion[], part: K) {
  const [first] = versions;
  const value = first?.[part];
  return value !== undefined && versions.every((each) => deepEqual(each[part], value)) ? value : undefined;
}

function toOldSpec({ versions, conversion, ...rest }: Spec): OldSpec {
  const validation = shared(versions, 'schema');
  const subresources = shared(versions, 'subresources');
  const columns = shared(versions, 'additionalPrinterColumns');
  const { strategy = 'None', webhook } = conversion ?? {};
  const { clientConfig, conversionReviewVersions } = (webhook ?? {}) as Webhook;
  return {
    ...rest,
    ...(versions[0] && { version: versions[0].name }),
    versions: versions.map(({ schema, subresources: own, additionalPrinterColumns, ...version }) => ({
      ...version,
      ...(!validation && schema && { schema }),
      ...(!subresources && own && { subresources: own }),
      ...(!columns && additionalPrinterColumns && { additionalPrinterColumns: toOldColumns(additionalPrinterColumns) }),
    })),
    ...(validation && { validation }),
    ...(subresources && { subresources }),
    ...(columns && { additionalPrinterColumns: toOldColumns(columns) }),
    conversion: {
      strategy,
      ...(clientConfig !== undefined && { webhookClientConfig: clientConfig }),
      ...(conversionReviewVersions && { conversionReviewVersions }),
    },
    preserveUnknownFields: rest.preserveUnknownFields ?? false,
  };
}

function fromOldSpec(spec: OldSpec): Spec {
  const {
    version: only = '',
    versions = [],
    validation,
    subresources,
    additionalPrinterColumns,
    conversion,
    ...rest
  } = spec;
  const listed: OldVersion[] = versions.length > 0 ? versions : [{ name: only, served: true, storage: true }];
  const { strategy = 'None', webhookClientConfig, conversionReviewVersions } = conversion ?? {};
  const webhook = webhookClientConfig !== undefined && {
    webhook: { clientConfig: webhookClientConfig, conversionReviewVersions },
  };
  return {
    ...rest,
    versions: listed.map(({ additionalPrinterColumns: own, ...version }) => {
      const columns = own ?? additionalPrinterColumns;
      return {
        ...(validation && { schema: validation }),
        ...(subresources && { subresources }),
        ...version,
        ...(columns && { additionalPrinterColumns: fromOldColumns(columns) }),
      };
    }),
    conversion: { strategy, ...webhook },
  };
}

/** Not demanded of a definition in this version: it says so by its condition NonStructuralSchema instead. */
const onlySince =
  /schemas are required|must be false in order to use defaults|must not be empty (at the root|for specified)|to be structural$|because it is defined in/;

export const definitionV1beta1: Conversion = {
  toVersion(stored) {
    const { spec } = stored as CustomResourceDefinition;
    return { ...stored, spec: toOldSpec(spec) } as KubeObject;
  },
  fromVersion(object) {
    const { spec } = object as KubeObject & { spec?: OldSpec };
    return spec ? ({ ...object, spec: fromOldSpec(spec) } as KubeObject) : object;
  },
  applyDefaults(object) {
    const { spec } = object as KubeObject & { spec?: OldSpec };
    if (!spec) return;
    spec.scope ||= 'Namespaced';
    spec.preserveUnknownFields ??= true;
  },
  errorIn: (error) => (onlySince.test(error.detail ?? '') ? undefined : error),
};
