/**
 * Links in pages that came through the proxy: what leads to the root of the backend's own site is led below the proxy's path, so that a page works
 * in a browser (feature 8-119). Compressed pages are passed on as they are.
 */
import { Transform } from 'node:stream';

export interface Rewriting {
  /** The path of the proxy subresource, without a slash at its end. */
  readonly prefix: string;
  /** `host:port` that mean the backend: its own, and what the client calls the API server. */
  readonly hosts: readonly string[];
}

/** Attributes that hold a URL, by tag. */
const attributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** A URL as a page of the backend or its Location header has it. */
export function rewriteLocation(url: string, { prefix, hosts }: Rewriting): string {
  const parts = /^(?:(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*))?([^?#]*)(.*)$/is.exec(url);
  const [, host, path = '', rest = ''] = parts ?? [];
  if (host !== undefined && !hosts.includes(host)) return url;
  if (host === undefined && /^[a-z][a-z0-9+.-]*:/i.test(url)) return url;
  if (!path.startsWith('/')) return url;
  if (path === prefix || path.startsWith(`${prefix}/`)) return `${path}${rest}`;
  return `${prefix}${path}${rest}`;
}

/** Rewrites the URLs of one tag, `<a href="/x">`. */
export function rewriteTag(tag: string, rewriting: Rewriting): string {
  const name = /^<([a-z0-9]+)/i.exec(tag)?.[1]?.toLowerCase() ?? '';
  const names = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  if (!names) return tag;
  return tag.replace(
    /([\s"'/])([a-z-]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'<>]+)/gi,
    (all: string, before: string, attribute: string, equals: string, value: string) => {
      if (!names.includes(attribute.toLowerCase())) return all;
      const quote = /^["']/.exec(value)?.[0] ?? '';
      const url = quote ? value.slice(1, -1) : value;
      return `${before}${attribute}${equals}${quote}${rewriteLocation(url, rewriting)}${quote}`;
    },
  );
}

/** Longer than this is no tag. */
const LONGEST_TAG = 64 * 1024;

/** What ends a text that is no markup. */
const rawEnds = { '</script': /<\/script/i, '</style': /<\/style/i } as const;

type State =
  | { readonly in: 'text' | 'comment' }
  | { readonly in: 'raw'; readonly end: keyof typeof rawEnds }
  | { readonly in: 'tag'; quote: string };

/**
 * Takes a page in pieces and gives back what of it is settled. Each character is looked at once, whatever a page looks like: it is a stranger's, and
 * this server has one thread.
 */
export class LinkRewriter {
  readonly #rewriting: Rewriting;
  #state: State = { in: 'text' };
  /** Begun and not settled: a tag, or the first letters of what may be the end of something. */
  #kept = '';

  constructor(rewriting: Rewriting) {
    this.#rewriting = rewriting;
  }

  take(piece: string): string {
    let text = piece;
    let out = '';
    while (text !== '') {
      const [done, rest] = this.#step(text);
      out += done;
      text = rest;
    }
    return out;
  }

  /** What is left where the page ends. */
  end(): string {
    return this.#kept;
  }

  /** What is settled, and what is to be looked at next. */
  #step(piece: string): [done: string, rest: string] {
    const state = this.#state;
    if (state.in === 'tag') return this.#inTag(state, piece);
    const text = this.#kept + piece;
    this.#kept = '';
    if (state.in === 'text') return this.#inText(text);
    const mark = state.in === 'raw' ? state.end : '-->';
    const isEnd = state.in === 'raw' ? 0 : mark.length;
    const at = state.in === 'raw' ? text.search(rawEnds[state.end]) : text.indexOf(mark);
    if (at >= 0) {
      this.#state = { in: 'text' };
      return [text.slice(0, at + isEnd), text.slice(at + isEnd)];
    }
    const settled = Math.max(0, text.length - mark.length + 1);
    this.#kept = text.slice(settled);
    return [text.slice(0, settled), ''];
  }

  #inText(text: string): [string, string] {
    const at = text.indexOf('<');
    if (at < 0) return [text, ''];
    const begin = text.slice(at, at + 4);
    if ('<!--'.startsWith(begin) && begin !== '<!--') {
      this.#kept = begin;
      return [text.slice(0, at), text.slice(at + begin.length)];
    }
    if (begin === '<!--') {
      this.#state = { in: 'comment' };
      return [text.slice(0, at + 4), text.slice(at + 4)];
    }
    if (!/^<[a-z/!?]/i.test(begin)) return [text.slice(0, at + 1), text.slice(at + 1)];
    this.#state = { in: 'tag', quote: '' };
    return [text.slice(0, at), text.slice(at)];
  }

  #inTag(state: Extract<State, { in: 'tag' }>, piece: string): [string, string] {
    const marks = /["'>]/g;
    let end = -1;
    for (let found = marks.exec(piece); found; found = marks.exec(piece)) {
      const [mark] = found;
      if (state.quote === mark) state.quote = '';
      else if (state.quote === '' && mark !== '>') state.quote = mark;
      else if (state.quote === '') {
        end = found.index + 1;
        break;
      }
    }
    const tag = this.#kept + (end < 0 ? piece : piece.slice(0, end));
    if (end < 0 && tag.length <= LONGEST_TAG) {
      this.#kept = tag;
      return ['', ''];
    }
    const raw = /^<(script|style)\b/i.exec(tag)?.[1];
    this.#state =
      raw !== undefined && end >= 0
        ? { in: 'raw', end: `</${raw.toLowerCase()}` as keyof typeof rawEnds }
        : { in: 'text' };
    this.#kept = '';
    return end < 0 ? [tag, ''] : [rewriteTag(tag, this.#rewriting), piece.slice(end)];
  }
}

/** Latin 1 both ways: every byte stays what it is, whatever the page's own encoding. */
export function rewriteLinks(rewriting: Rewriting): Transform {
  const rewriter = new LinkRewriter(rewriting);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, Buffer.from(rewriter.take(chunk.toString('latin1')), 'latin1'));
    },
    flush(done) {
      done(null, Buffer.from(rewriter.end(), 'latin1'));
    },
  });
}
