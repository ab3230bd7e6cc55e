/** Which names a definition gets, and what its conditions say of it. Names are shared out within a group: first come, first served. */
import { semanticEqual } from '../deep-equal.ts';
import { fieldErrorMessage } from '../field-error.ts';
import { validateStructural } from './structural.ts';
import {
  conditionOf,
  withCondition,
  type CustomResourceDefinition,
  type DefinitionCondition,
  type DefinitionNames,
} from './definition.ts';

type Status = NonNullable<CustomResourceDefinition['status']>;

/**
 * The status of a definition among the others; the same object's status where nothing is to be changed.
 * @param others every other definition
 * @param now RFC 3339
 */
export function planStatus(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  now: string,
): Status {
  const { status = {} } = definition;
  const { names, conflict } = acceptNames(definition, others);
  const accepted: DefinitionCondition = conflict ?? {
    type: 'NamesAccepted',
    status: 'True',
    reason: 'NoConflicts',
    message: 'no conflicts found',
  };
  let conditions = withCondition(status.conditions ?? [], accepted, now);
  if (conditionOf(definition, 'Established')?.status !== 'True') {
    conditions = withCondition(conditions, conflict ? notAccepted : established, now);
  }
  const violations = nonStructural(definition);
  if (!violations) conditions = conditions.filter(({ type }) => type !== 'NonStructuralSchema');
  for (const condition of [violations, approvalOf(definition)]) {
    if (condition) conditions = withCondition(conditions, condition, now);
  }
  const next: Status = { ...status, conditions, acceptedNames: names };
  return semanticEqual(next, status) ? status : next;
}

/** Only definitions written as v1beta1 can be so. */
function nonStructural({ spec }: CustomResourceDefinition): DefinitionCondition | undefined {
  if (spec.preserveUnknownFields !== true) return undefined;
  const errors = spec.versions.flatMap(({ schema }, index) =>
    schema?.openAPIV3Schema
      ? validateStructural(schema.openAPIV3Schema, `spec.versions[${String(index)}].schema.openAPIV3Schema`)
      : [],
  );
  if (errors.length === 0) return undefined;
  const texts = errors.map(fieldErrorMessage);
  const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
  return { type: 'NonStructuralSchema', status: 'True', reason: 'Violations', message };
}

const notAccepted: DefinitionCondition = {
  type: 'Established',
  status: 'False',
  reason: 'NotAccepted',
  message: 'not all names are accepted',
};
const established: DefinitionCondition = {
  type: 'Established',
  status: 'True',
  reason: 'InitialNamesAccepted',
  message: 'the initial names have been accepted',
};

interface Acceptance {
  readonly names: DefinitionNames;
  /** Undefined: every name is free. */
  readonly conflict: DefinitionCondition | undefined;
}

function acceptNames(
  { spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): Acceptance {
  const { names: wanted } = spec;
  const held: DefinitionNames = status?.acceptedNames ?? { plural: '', kind: '' };
  const taken = others.filter((each) => each.spec.group === spec.group).map((each) => each.status?.acceptedNames);
  const resources = new Set(taken.flatMap((each) => [each?.plural, each?.singular, ...(each?.shortNames ?? [])]));
  const kinds = new Set(taken.flatMap((each) => [each?.kind, each?.listKind]));
  const names = { ...held };
  let conflict: DefinitionCondition | undefined;
  const refuse = (reason: string, used: readonly string[]): void => {
    const texts = used.map((name) => `${JSON.stringify(name)} is already in use`);
    const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
    conflict = { type: 'NamesAccepted', status: 'False', reason, message };
  };
  const one = (field: 'plural' | 'singular' | 'kind' | 'listKind', all: Set<string | undefined>): void => {
    const name = wanted[field];
    if (name !== held[field] && all.has(name))
      refuse(`${field[0]?.toUpperCase() ?? ''}${field.slice(1)}Conflict`, [name ?? '']);
    else if (name !== undefined) names[field] = name;
  };
  one('plural', resources);
  one('singular', resources);
  const used = (wanted.shortNames ?? []).filter((name) => !held.shortNames?.includes(name) && resources.has(name));
  if (used.length > 0) refuse('ShortNamesConflict', used);
  else setOrDrop(names, 'shortNames', wanted.shortNames);
  one('kind', kinds);
  one('listKind', kinds);
  setOrDrop(names, 'categories', wanted.categories);
  return { names, conflict };
}

function setOrDrop(names: DefinitionNames, field: 'shortNames' | 'categories', list: string[] | undefined): void {
  if (list) names[field] = list;
  else Reflect.deleteProperty(names, field);
}

export const APPROVED = 'api-approved.kubernetes.io';

/** Groups of the Kubernetes project itself need somebody's approval. */
export function isProtectedGroup(group: string): boolean {
  return ['k8s.io', 'kubernetes.io'].some((owner) => group === owner || group.endsWith(`.${owner}`));
}

function approvalOf({ spec, metadata }: CustomResourceDefinition): DefinitionCondition | undefined {
  if (!isProtectedGroup(spec.group)) return undefined;
  const value = metadata.annotations?.[APPROVED] ?? '';
  const type = 'KubernetesAPIApprovalPolicyConformant';
  if (value === '') {
    const message = `protected groups must have approval annotation ${JSON.stringify(APPROVED)}, see https://github.com/kubernetes/enhancements/pull/1111`;
    return { type, status: 'False', reason: 'MissingAnnotation', message };
  }
  return value.startsWith('unapproved')
    ? { type, status: 'False', reason: 'UnapprovedAnnotation', message: `not approved: ${JSON.stringify(value)}` }
    : { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${value}` };
}
