/** What the definition of a custom resource is called in OpenAPI. */
import type { Kind } from '../kinds.ts';

/** `com.example.stable.v1.CronTab`: the group the other way round. */
export function customDefinitionName({ group, version }: Kind, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}
