import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cpuTimeOf } from '../../../test/support/cpu-time.ts';
import { LinkRewriter, rewriteLocation, type Rewriting } from './links.ts';

const prefix = '/api/v1/namespaces/default/services/web/proxy';
const rewriting: Rewriting = { prefix, hosts: ['10.244.1.5:80', 'localhost:8001'] };

const locations: [url: string, expected: string][] = [
  ['/login', `${prefix}/login`],
  ['/', `${prefix}/`],
  ['/a/?b=/c#/d', `${prefix}/a/?b=/c#/d`],
  ['login', 'login'],
  ['../x', '../x'],
  ['?a=b', '?a=b'],
  ['#top', '#top'],
  [`${prefix}/a`, `${prefix}/a`],
  [prefix, prefix],
  [`${prefix}x`, `${prefix}${prefix}x`],
  ['http://10.244.1.5:80/a?b', `${prefix}/a?b`],
  ['//localhost:8001/a', `${prefix}/a`],
  ['http://example.com/a', 'http://example.com/a'],
  ['//example.com/a', '//example.com/a'],
  ['mailto:a@b', 'mailto:a@b'],
  ['', ''],
];
for (const [url, expected] of locations) {
  test(`a redirect to ${JSON.stringify(url)} leads to ${JSON.stringify(expected)}`, () => {
    assert.equal(rewriteLocation(url, rewriting), expected);
  });
}

const through = (pieces: readonly string[]) => {
  const rewriter = new LinkRewriter(rewriting);
  return pieces.map((piece) => rewriter.take(piece)).join('') + rewriter.end();
};

const pages: [what: string, page: string, expected: string][] = [
  ['links', '<a href="/x">1</a>', `<a href="${prefix}/x">1</a>`],
  ['single quotes and none', "<img src='/x'><img src=/y>", `<img src='${prefix}/x'><img src=${prefix}/y>`],
  ['capitals', '<A HREF="/x">', `<A HREF="${prefix}/x">`],
  ['two in one tag', '<video poster=/p src="/v">', `<video poster=${prefix}/p src="${prefix}/v">`],
  ['other attributes', '<a data-href="/x" title="/y">', '<a data-href="/x" title="/y">'],
  ['other tags', '<p href="/x">', '<p href="/x">'],
  [
    'a script but not its text',
    '<script src="/s.js">"<a href=\'/x\'>"</script>',
    `<script src="${prefix}/s.js">"<a href='/x'>"</script>`,
  ],
  ['what follows a script', '<style>a<b</STYLE><a href=/x>', `<style>a<b</STYLE><a href=${prefix}/x>`],
  ['a comment not', '<!-- <a href="/x"> --><a href=/y>', `<!-- <a href="/x"> --><a href=${prefix}/y>`],
  ['a quoted bracket', '<a title="a>b" href="/x">', `<a title="a>b" href="${prefix}/x">`],
  ['a lone bracket', '1 < 2 <a href=/x>', `1 < 2 <a href=${prefix}/x>`],
  ['a tag without end', 'text <a href="/x', 'text <a href="/x'],
  ['a doctype', '<!DOCTYPE html><!-x>', '<!DOCTYPE html><!-x>'],
  ['links elsewhere', '<a href="//example.com/x">', '<a href="//example.com/x">'],
];
for (const [what, page, expected] of pages) {
  test(`in a page: ${what}`, () => {
    assert.equal(through([page]), expected);
    assert.equal(through([...page]), expected, 'in single characters');
  });
}

test('a page is the same however it comes in pieces, and only grows', () => {
  const word = fc.constantFrom(
    '<',
    '>',
    '"',
    "'",
    'a',
    ' href=',
    '/x',
    '<!--',
    '-->',
    '<script',
    '</script',
    ' ',
    '<a ',
    '!',
    '-',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), fc.array(fc.nat(5), { maxLength: 40 }), (words, cuts) => {
      const page = words.join('');
      const pieces: string[] = [];
      let at = 0;
      for (const cut of cuts) pieces.push(page.slice(at, (at += cut)));
      pieces.push(page.slice(at));
      const whole = through([page]);
      assert.equal(through(pieces), whole);
      assert.equal(whole.replaceAll(prefix, ''), page);
    }),
  );
});

test('a page made to cost time costs none', async () => {
  for (const bad of ['<a "', '<!--', '<script>', '<', '<a href=', "<a '", '<!---->', '<style></style>']) {
    const pieces = Array.from({ length: 16 }, () => bad.repeat(16_384 / bad.length));
    // tens of them is what it takes
    const took = await cpuTimeOf(2000, () => through(pieces));
    assert.ok(took < 2000, `${bad}: ${took.toFixed()} ms for 256 KiB`);
  }
});
