/** A Corefile as it was written: server blocks of directives, each with the place it stands at. */

export interface Place {
  /** As given on the command line or by `import`; `Corefile` for the default. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  /** The lines of its `{ }`, which have the same shape and may have blocks of their own; absent where there are no braces. */
  readonly body?: readonly Directive[];
  readonly place: Place;
}

/** `example.org:1053 10.0.0.0/24 { … }` before its zones and port are read. */
export interface ServerBlock {
  readonly keys: readonly string[];
  readonly directives: readonly Directive[];
  readonly place: Place;
}
