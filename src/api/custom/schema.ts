/** The JSON schema of a CustomResourceDefinition, as its author writes it: OpenAPI v3 with Kubernetes' extensions. */

/** `properties` and the like may hold anything at all until `structural.ts` has looked at them. */
export interface JsonSchema {
  $ref?: string;
  $schema?: string;
  id?: string;
  type?: string;
  format?: string;
  title?: string;
  description?: string;
  default?: unknown;
  example?: unknown;
  externalDocs?: unknown;
  nullable?: boolean;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  patternProperties?: Record<string, JsonSchema>;
  definitions?: Record<string, JsonSchema>;
  dependencies?: Record<string, unknown>;
  required?: string[];
  /** A list is no structural schema and is refused. */
  items?: JsonSchema | JsonSchema[];
  additionalItems?: unknown;
  uniqueItems?: boolean;
  maximum?: number;
  exclusiveMaximum?: boolean;
  minimum?: number;
  exclusiveMinimum?: boolean;
  multipleOf?: number;
  maxLength?: number;
  minLength?: number;
  pattern?: string;
  maxItems?: number;
  minItems?: number;
  maxProperties?: number;
  minProperties?: number;
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  not?: JsonSchema;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-validations'?: ValidationRule[];
}

/** One rule in CEL. */
export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

/** The schema of one field of an object, by the object's own schema; undefined: it has none. */
export function propertyOf({ properties, additionalProperties }: JsonSchema, key: string): JsonSchema | undefined {
  if (properties && Object.hasOwn(properties, key)) return properties[key];
  return isRecord(additionalProperties) ? additionalProperties : undefined;
}

/** The schema of every item of a list. */
export function itemOf({ items }: JsonSchema): JsonSchema | undefined {
  return isRecord(items) ? items : undefined;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `spec.items[2]`, `spec`: where a part of an object is, as error messages write it. */
export const under = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);
