/**
 * A set of fields of an object, as a tree of path elements (`f:spec`, `k:{"name":"c"}`, `v:"a"`): what server-side apply counts with (feature
 * 8-070). Values that are never changed: what an operation leaves alone it shares with its operands, and returns itself where nothing changed.
 */
export interface FieldSet {
  /** The node itself is in the set, not only fields below it. Never true at the root. */
  readonly self: boolean;
  /** **Invariant:** no child is empty. */
  readonly children: ReadonlyMap<string, FieldSet>;
}

const childless: ReadonlyMap<string, FieldSet> = new Map();

export const EMPTY: FieldSet = { self: false, children: childless };
export const LEAF: FieldSet = { self: true, children: childless };

export const isEmpty = ({ self, children }: FieldSet): boolean => !self && children.size === 0;

/** The one way to make a node, so that leaves and empty sets are shared. */
export function node(self: boolean, children: ReadonlyMap<string, FieldSet> | undefined): FieldSet {
  if (!children || children.size === 0) return self ? LEAF : EMPTY;
  return { self, children };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  let children: Map<string, FieldSet> | undefined;
  for (const [element, right] of b.children) {
    const left = a.children.get(element);
    const both = left ? union(left, right) : right;
    if (both === left) continue;
    children ??= new Map(a.children);
    children.set(element, both);
  }
  if (!children && (a.self || !b.self)) return a;
  return node(a.self || b.self, children ?? a.children);
}

/** What is in `a` and not in `b`. A field in `b` takes only itself away, not what lies below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return EMPTY;
  let children: Map<string, FieldSet> | undefined;
  // Over the smaller side: most differences take little out of much.
  for (const [element, right] of b.children) {
    const left = a.children.get(element);
    if (!left) continue;
    const rest = difference(left, right);
    if (rest === left) continue;
    children ??= new Map(a.children);
    if (isEmpty(rest)) children.delete(element);
    else children.set(element, rest);
  }
  if (!children && !(a.self && b.self)) return a;
  return node(a.self && !b.self, children ?? a.children);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  let children: Map<string, FieldSet> | undefined;
  for (const [element, left] of a.children) {
    const right = b.children.get(element);
    const both = right && intersection(left, right);
    if (!both || isEmpty(both)) continue;
    children ??= new Map();
    children.set(element, both);
  }
  return node(a.self && b.self, children);
}

/** Everything in `part` is in `whole` too. */
export function covers(whole: FieldSet, part: FieldSet): boolean {
  if (whole === part) return true;
  if (part.self && !whole.self) return false;
  for (const [element, inner] of part.children) {
    const outer = whole.children.get(element);
    if (!outer || !covers(outer, inner)) return false;
  }
  return true;
}

export const sameSet = (a: FieldSet, b: FieldSet): boolean => covers(a, b) && covers(b, a);

/** Elements of one node in the order they are written and told of. */
export const sortedElements = (set: FieldSet): string[] => [...set.children.keys()].sort();

/** The paths of all members; at each node first the members, then what lies below. */
export function* paths(set: FieldSet, prefix: readonly string[] = []): Generator<readonly string[], void> {
  const elements = sortedElements(set);
  for (const element of elements) if (set.children.get(element)?.self) yield [...prefix, element];
  for (const element of elements) {
    const child = set.children.get(element);
    if (child && child.children.size > 0) yield* paths(child, [...prefix, element]);
  }
}

/** A set of exactly these paths. */
export function setOfPaths(all: Iterable<readonly string[]>): FieldSet {
  let set = EMPTY;
  for (const path of all) {
    let one = LEAF;
    for (const element of [...path].reverse()) one = { self: false, children: new Map([[element, one]]) };
    set = union(set, one);
  }
  return set;
}
