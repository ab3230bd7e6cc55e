/** The pure core of server-side apply and managedFields: field sets, and how writes change who owns what. */
export { applyConfig, ConfigProblem, type Application, type Applied } from './apply.ts';
export { compare, type Comparison } from './compare.ts';
export { kindSchema } from './kind-schema.ts';
export { readManagers, writeManagers, type ManagedFieldsEntry, type Manager } from './managers.ts';
export {
  SCALAR,
  UNTYPED,
  type FieldSchema,
  type ListSchema,
  type MapSchema,
  type MergeSchema,
} from './merge-schema.ts';
export type { Part } from './tracked.ts';
export { afterUpdate, managersFor, sameManagers, type Writer } from './update.ts';
