/** The pure face of `api`: what the other parts may know about Kubernetes objects. */
export * from './api-error.ts';
export { decodeObject, type Decoded, type KindName } from './decode.ts';
export { deepEqual, semanticEqual } from './deep-equal.ts';
export * from './field-error.ts';
export { findDuplicateFields, parseJsonWithDuplicates, type ParsedBody } from './json.ts';
export { parseYaml } from './yaml.ts';
export * from './kinds.ts';
export { carryOverMetadata, generateName } from './meta.ts';
export { openApiV2, openApiV2Protobuf, openApiV3, openApiV3Hash, openApiV3Index } from './openapi/index.ts';
export * from './pods.ts';
export { parseProtobuf } from './protobuf/decode.ts';
export {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityValue,
  type Quantity,
} from './quantity.ts';
export { selectableFieldsOf, supportedFields } from './selectable-fields.ts';
export * from './selectors.ts';
export { initIpFamilies } from './service-families.ts';
export { isHeadless, needsClusterIp, needsHealthCheckNodePort, needsNodePorts } from './service-changes.ts';
export { strategicMergePatch } from './strategic-merge.ts';
export { strategyFor } from './strategies.ts';
export type { Strategy } from './strategy.ts';
export type { Cell, ColumnDefinition } from './column.ts';
export { partialMetadata, toTable, type IncludeObject, type Table } from './table.ts';
export type * from './types.ts';
