/**
 * What is wrong with one field. Validation returns a list of these, never throws on the first (feature 8-092, 8-095).
 */
export type FieldErrorType =
  | 'Required'
  | 'Invalid'
  | 'NotSupported'
  | 'Duplicate'
  | 'Forbidden'
  | 'NotFound'
  | 'TooLong'
  | 'TooMany'
  | 'TypeInvalid'
  | 'InternalError';

export interface FieldError {
  readonly type: FieldErrorType;
  /** Dotted path as kubectl shows it: `spec.ports[0].nodePort`. */
  readonly field: string;
  /** The offending value; shown for Invalid, NotSupported, Duplicate, NotFound, TooMany. */
  readonly value?: unknown;
  readonly detail?: string;
}

const titles: Record<FieldErrorType, string> = {
  Required: 'Required value',
  Invalid: 'Invalid value',
  NotSupported: 'Unsupported value',
  Duplicate: 'Duplicate value',
  Forbidden: 'Forbidden',
  NotFound: 'Not found',
  TooLong: 'Too long',
  TooMany: 'Too many',
  TypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
};

export const required = (field: string, detail = ''): FieldError => ({ type: 'Required', field, detail });
export const invalid = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'Invalid',
  field,
  value,
  detail,
});
export const duplicate = (field: string, value: unknown): FieldError => ({ type: 'Duplicate', field, value });
export const forbidden = (field: string, detail: string): FieldError => ({ type: 'Forbidden', field, detail });
/** `supported` is sorted for the message. */
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: 'NotSupported',
  field,
  value,
  detail: `supported values: ${[...supported]
    .sort()
    .map((text) => JSON.stringify(text))
    .join(', ')}`,
});

/** `spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive` */
export function fieldErrorMessage(error: FieldError): string {
  return `${error.field}: ${fieldErrorBody(error)}`;
}

/** The message without the path: what goes into `details.causes[].message`. */
export function fieldErrorBody({ type, value, detail }: FieldError): string {
  const shown = ['Required', 'Forbidden', 'TooLong', 'InternalError'].includes(type) ? '' : `: ${describeValue(value)}`;
  return `${titles[type]}${shown}${detail ? `: ${detail}` : ''}`;
}

function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return typeof value === 'object' || typeof value === 'string'
    ? JSON.stringify(value)
    : String(value as number | boolean);
}
