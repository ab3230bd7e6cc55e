/** The type graph of everything served, as `scripts/generate-schemas.ts` writes it. */

/**
 * The type of a field, as short text: `string boolean int32 int64 double byte time microtime intOrString quantity any json`,
 * `[]X` a list of X, `{}X` a map from strings to X, `#name` the struct of that name, `?#name` that struct or something else (a boolean, a
 * list) that is kept as it is. `any` is some object, `json` any value at all.
 */
export type TypeText = string;

export interface StructType {
  /** Field name -> its type, in the order of the published models. */
  readonly fields: Readonly<Record<string, TypeText>>;
  readonly required: readonly string[];
}

export interface SchemaFile {
  /** Which published description this came from. */
  readonly source: string;
  /** Definition name (`io.k8s.api.core.v1.ServicePort`) -> struct. */
  readonly types: Readonly<Record<string, StructType>>;
  /** `apiVersion/kind` (`v1/Service`, `apps/v1/Deployment`) -> definition name; lists and request kinds too. */
  readonly kinds: Readonly<Record<string, string>>;
}

/** Definition name -> field name -> text; the text of the type itself is under ''. */
export type DescriptionFile = Readonly<Record<string, Readonly<Record<string, string>>>>;
