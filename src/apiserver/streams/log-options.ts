/** What a request for logs may ask (PodLogOptions, feature 7-063). Pure. */
import { badRequest, invalidObject } from '../../api/api-error.ts';
import { forbidden, invalid, notSupported, type FieldError } from '../../api/field-error.ts';

/** The least each number may be, in the words of what it must be. */
const numbers: readonly [name: string, least: number, words: string][] = [
  ['tailLines', 0, 'must be greater than or equal to 0'],
  ['limitBytes', 1, 'must be greater than 0'],
  ['sinceSeconds', 1, 'must be greater than 0'],
];
const streams = ['All', 'Stderr', 'Stdout'];

/** Throws BadRequest for what is no number or time, Invalid for one that makes no sense. */
export function checkLogOptions(pod: string, query: URLSearchParams): void {
  const errors: FieldError[] = [];
  const text = (name: string) => query.get(name) ?? '';
  for (const [name, least, words] of numbers) {
    if (text(name) === '') continue;
    if (!/^-?\d{1,15}$/.test(text(name)))
      throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text(name))}: invalid syntax`);
    if (Number(text(name)) < least) errors.push(invalid(name, Number(text(name)), words));
  }
  if (text('sinceTime') !== '' && Number.isNaN(Date.parse(text('sinceTime'))))
    throw badRequest(`parsing time ${JSON.stringify(text('sinceTime'))}: must be RFC 3339`);
  if (text('sinceTime') !== '' && text('sinceSeconds') !== '')
    errors.push(forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  if (text('stream') !== '' && !streams.includes(text('stream')))
    errors.push(notSupported('stream', text('stream'), streams));
  if (errors.length === 0) return;
  throw invalidObject({ ...optionsKind, kind: 'PodLogOptions' }, pod, errors);
}

const optionsKind = {
  group: '',
  version: 'v1',
  plural: 'podlogoptions',
  singular: 'podlogoptions',
  shortNames: [],
  namespaced: true,
  categories: [],
  subresources: [],
};
