/** What a client wants to read and says it writes: Accept and Content-Type (features 8-017, 8-020, 8-023). */
import { ApiError } from '../api/api-error.ts';

export interface MediaType {
  /** `json`: application/json and everything that means it. */
  readonly format: 'json' | 'yaml';
  /** The whole type as asked, for the answer's Content-Type. */
  readonly as?: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList';
  /** Version of the `as` form: v1, v1beta1; v2, v2beta1 for discovery. */
  readonly version?: string;
}

const formats: ReadonlyMap<string, MediaType['format']> = new Map([
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['text/plain', 'json'],
  ['*/*', 'json'],
  ['application/*', 'json'],
]);

/** Forms this server can answer in, as `group/version/as`. */
const forms: readonly string[] = [
  'meta.k8s.io/v1/Table',
  'meta.k8s.io/v1beta1/Table',
  'meta.k8s.io/v1/PartialObjectMetadata',
  'meta.k8s.io/v1beta1/PartialObjectMetadata',
  'meta.k8s.io/v1/PartialObjectMetadataList',
  'meta.k8s.io/v1beta1/PartialObjectMetadataList',
];
export const discoveryForms: readonly string[] = [
  'apidiscovery.k8s.io/v2/APIGroupDiscoveryList',
  'apidiscovery.k8s.io/v2beta1/APIGroupDiscoveryList',
];

interface Clause {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly quality: number;
}

/** The clauses by falling quality, in their order where equal. */
function parseAccept(accept: string): Clause[] {
  return accept
    .split(',')
    .map((text) => {
      const [type = '', ...rest] = text.split(';').map((part) => part.trim());
      const parameters = Object.fromEntries(rest.map((part) => part.split('=', 2) as [string, string | undefined]));
      const quality = Number(parameters['q'] ?? '1');
      return { type: type.toLowerCase(), parameters: parameters as Record<string, string>, quality };
    })
    .filter((clause) => clause.type !== '' && clause.quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

/** The first clause this server can serve. Throws NotAcceptable (406). */
export function chooseMediaType(accept: string | undefined, allowed: readonly string[] = forms): MediaType {
  const clauses = parseAccept(accept === undefined || accept.trim() === '' ? '*/*' : accept);
  for (const { type, parameters } of clauses) {
    const format = formats.get(type);
    if (!format) continue;
    const { as, v: version = '', g: group = '' } = parameters;
    if (as === undefined) return { format };
    if (allowed.includes(`${group}/${version}/${as}`)) {
      return { format, as: as as NonNullable<MediaType['as']>, version };
    }
  }
  throw notAcceptable('application/json, application/yaml');
}

export function notAcceptable(accepted: string): ApiError {
  return new ApiError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${accepted}`,
  });
}

export const patchTypes = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
} as const;

type PatchMediaType = (typeof patchTypes)[keyof typeof patchTypes];

/** Throws UnsupportedMediaType (415, feature 8-074). */
export function patchTypeOf(contentType: string | undefined, { custom }: { custom?: unknown } = {}): PatchMediaType {
  const type = bareType(contentType);
  // A strategic merge needs Go types to say how, and a custom resource has none.
  const known = Object.entries(patchTypes).filter(([, each]) => custom === undefined || each !== 'strategic');
  const found = known.find(([name]) => name === type);
  if (found) return found[1];
  throw unsupportedMediaType(known.map(([name]) => name));
}

/** The same where nothing can be applied. */
export function mergePatchTypeOf(contentType: string | undefined): Exclude<PatchMediaType, 'apply'> {
  const type = patchTypeOf(contentType);
  if (type !== 'apply') return type;
  throw unsupportedMediaType(Object.keys(patchTypes).filter((each) => !each.includes('apply')));
}

export type BodyFormat = 'json' | 'yaml' | 'protobuf';

const bodyFormats: Readonly<Record<string, BodyFormat>> = {
  '': 'json',
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
};

/** JSON where the header is missing. Throws UnsupportedMediaType (415). */
export function bodyFormatOf(contentType: string | undefined): BodyFormat {
  const type = bareType(contentType);
  const format = Object.hasOwn(bodyFormats, type) ? bodyFormats[type] : undefined;
  if (format === undefined) throw unsupportedMediaType(Object.keys(bodyFormats).filter((each) => each !== ''));
  return format;
}

function bareType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function unsupportedMediaType(supported: readonly string[]): ApiError {
  return new ApiError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`,
  });
}
