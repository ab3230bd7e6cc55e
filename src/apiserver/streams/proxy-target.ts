/** `[scheme:]name[:port]`: how the URL of a proxy request names its Service, Pod or node (features 7-067, 7-068, 8-114). Pure. */
import { badRequest } from '../../api/api-error.ts';

export interface ProxyTarget {
  readonly secure: boolean;
  readonly name: string;
  /** A name or a number; '' where the URL names none. */
  readonly port: string;
}

/** `what`: `pod`, `service`, `node`, for the message. Throws BadRequest for a name that is none of the forms. */
export function parseProxyTarget(text: string, what: string): ProxyTarget {
  const parts = text.split(':');
  // Two parts are a name and its port, unless the first can only be meant as a scheme.
  const hasScheme = parts.length === 3 || (parts.length === 2 && ['http', 'https', ''].includes(parts[0] ?? ''));
  const scheme = hasScheme ? parts.shift() : '';
  const [name = '', port = ''] = parts;
  if (parts.length > 2 || name === '' || !['', 'http', 'https'].includes(scheme ?? '')) {
    throw badRequest(`invalid ${what} request ${JSON.stringify(text)}`);
  }
  return { secure: scheme === 'https', name, port };
}
