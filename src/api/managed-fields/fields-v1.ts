/** A field set as it stands in `metadata.managedFields[].fieldsV1`: `{"f:spec":{"f:ports":{".":{},"k:{…}":{…}}}}` (feature 8-070). */
import { EMPTY, LEAF, node, sortedElements, type FieldSet } from './field-set.ts';
import { canonicalElement } from './path-element.ts';

export interface FieldsV1 {
  [element: string]: FieldsV1;
}

/** Elements sorted, as every server writes them. */
export function toFieldsV1(set: FieldSet): FieldsV1 {
  const fields: FieldsV1 = {};
  if (set.self && set.children.size > 0) fields['.'] = {};
  for (const element of sortedElements(set)) fields[element] = toFieldsV1(set.children.get(element) ?? EMPTY);
  return fields;
}

/** Deeper than any real object; keeps what a client sends from exhausting the stack. */
const maxDepth = 200;

/**
 * @param trusted written by this server: its elements need not be checked and spelled anew
 * @throws Error for what is no FieldsV1
 */
export function fromFieldsV1(fields: unknown, trusted = false): FieldSet {
  return readNode(fields, trusted, 0, true);
}

function readNode(fields: unknown, trusted: boolean, depth: number, root: boolean): FieldSet {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw new Error('fieldsV1 is no object');
  if (depth > maxDepth) throw new Error('fieldsV1 is nested too deeply');
  let children: Map<string, FieldSet> | undefined;
  let self = false;
  for (const [element, below] of Object.entries(fields)) {
    if (element === '.') {
      self = !root;
      continue;
    }
    children ??= new Map();
    children.set(trusted ? element : canonicalElement(element), readNode(below, trusted, depth + 1, false));
  }
  // An empty object is the field itself.
  if (!children) return root ? EMPTY : LEAF;
  return node(self, children);
}
