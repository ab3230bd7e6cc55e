/** The docs are part of the product: links lead somewhere, commands exist, examples are valid and run. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { CustomResourceDefinition } from '../src/api/custom/definition.ts';
import { kindsOf } from '../src/api/custom/kinds.ts';
import { decodeObject } from '../src/api/decode.ts';
import { apiVersionOf, kindByApiVersion } from '../src/api/kinds.ts';
import { strategyFor } from '../src/api/strategies.ts';
import { program } from '../src/cli/main.ts';

const ROOT = join(import.meta.dirname, '..');
const list = (args: string[]) =>
  execFileSync('git', ['-C', ROOT, 'ls-files', ...args], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
const pages = list(['*.md']);
const text = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** Fenced blocks of one language. */
function blocks(page: string, language: string): string[] {
  return [...text(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (match) => match[1] ?? '',
  );
}

test('there are pages to check', () => {
  assert.ok(pages.includes('README.md') && pages.length > 10);
});

for (const page of pages) {
  test(`every link of ${page} leads to a file`, () => {
    for (const [, target = ''] of text(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target) || target.startsWith('#')) continue;
      assert.ok(existsSync(join(ROOT, dirname(page), target.replace(/#.*/, ''))), `${target} does not exist`);
    }
  });
}

for (const page of pages.filter((one) => one.startsWith('src/'))) {
  test(`every source file ${page} names is there`, () => {
    const roots = [dirname(page), '', 'src'];
    for (const [, file = ''] of text(page).matchAll(/`((?:\.\.\/)*[a-z][a-z0-9./-]*\.ts)`/g)) {
      assert.ok(
        roots.some((root) => existsSync(join(ROOT, root, file))),
        `${file} does not exist`,
      );
    }
  });
}

const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
for (const folder of folders) {
  test(`src/${folder} says what it is for, what is not there, and shows an example`, () => {
    const page = text(`src/${folder}/README.md`);
    assert.match(page, /^# \S/m);
    assert.match(page, /not here/i);
    assert.match(page, /^```/m);
  });
}

/** Command lines of shell examples that call fairway, each as words. */
function fairwayCalls(page: string): string[][] {
  return blocks(page, 'sh')
    .flatMap((block) => block.split('\n'))
    .flatMap((line) => /(?:^|\$\()\s*(?:sudo )?(?:bin\/)?fairway ([^)|#]*)/.exec(line)?.[1] ?? [])
    .map((words) => words.trim().split(/\s+/));
}

for (const page of pages) {
  const calls = fairwayCalls(page);
  if (calls.length === 0) continue;
  test(`${page} calls commands and flags that exist`, () => {
    for (const words of calls) {
      let command = program();
      let depth = 0;
      for (const word of words) {
        const next = command.commands.find((candidate) => candidate.name() === word);
        if (!next) break;
        command = next;
        depth++;
      }
      assert.ok(depth > 0, `fairway ${words.join(' ')}: no such command`);
      const end = words.indexOf('--');
      for (const flag of words.slice(depth, end < 0 ? undefined : end).filter((word) => word.startsWith('-'))) {
        const name = flag.split('=')[0];
        assert.ok(
          name === '--help' || command.options.some((option) => option.long === name || option.short === name),
          `fairway ${words.join(' ')}: no flag ${flag}`,
        );
      }
    }
  });
  test(`${page} names make targets that exist`, () => {
    const targets = new Set(
      [...readFileSync(join(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z-]+):/gm)].map((match) => match[1]),
    );
    for (const line of blocks(page, 'sh').join('\n').split('\n')) {
      const target = /^make ([a-z-]+)/.exec(line)?.[1];
      if (target !== undefined) assert.ok(targets.has(target), `make ${target}`);
    }
  });
}

/** Everything a folder and those below it export. */
function exportsOf(folder: string): Set<string> {
  const files = list([`${folder}/*.ts`, `${folder}/**/*.ts`]).filter((file) => !file.endsWith('.test.ts'));
  return new Set(
    files.flatMap((file) =>
      [...text(file).matchAll(/^export (?:async )?(?:function\*?|class|const) (\w+)/gm)].map((match) => match[1] ?? ''),
    ),
  );
}

for (const page of pages) {
  for (const [number, code] of blocks(page, 'ts').entries()) {
    const title = `example ${String(number + 1)} of ${page}`;
    const folder = join(ROOT, dirname(page));
    if (code.startsWith('import ')) {
      test(`${title} runs`, () => {
        const scratch = mkdtempSync(join(ROOT, '.toolchain', 'doc-'));
        try {
          const file = join(scratch, 'example.ts');
          writeFileSync(
            file,
            code.replaceAll(
              /from '(\.[^']*)'/g,
              (_, path: string) => `from '${relative(scratch, join(folder, path))}'`,
            ),
          );
          execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
            cwd: scratch,
            stdio: 'pipe',
            timeout: 30_000,
          });
        } finally {
          rmSync(scratch, { recursive: true, force: true });
        }
      });
    } else {
      // A sketch: what it needs around it would hide what it shows. Its calls must exist all the same.
      test(`${title} calls what its folder exports`, () => {
        const known = new Set([...exportsOf(dirname(page)), ...exportsOf('src/lib'), 'reconcile']);
        for (const [, name = ''] of code.matchAll(/(?<![.\w])(\w+)\(/g))
          assert.ok(known.has(name), `${name} is exported nowhere below ${dirname(page)}`);
      });
    }
  }
}

const examples = list(['examples/*.yaml', 'examples/**/*.yaml']);

/** What the examples themselves define. */
const definedKinds = examples
  .flatMap((file) => parseAllDocuments(text(file)).map((document) => document.toJS() as CustomResourceDefinition))
  .filter(({ kind }) => kind === 'CustomResourceDefinition')
  .flatMap((definition) => {
    const status = { conditions: [{ type: 'Established', status: 'True' }] };
    return kindsOf({ ...definition, status })?.served ?? [];
  });

for (const file of examples) {
  test(`${file} is a manifest the API server would take`, () => {
    for (const document of parseAllDocuments(text(file))) {
      const raw = document.toJS() as {
        apiVersion: string;
        kind: string;
        metadata: { name: string; namespace?: string };
      };
      const own = definedKinds.find((each) => apiVersionOf(each) === raw.apiVersion && each.kind === raw.kind);
      const kind = own ?? kindByApiVersion(raw.apiVersion, raw.kind);
      assert.ok(kind, `${raw.apiVersion} ${raw.kind}`);
      const { object, unknownFields } = decodeObject(kind, raw);
      assert.deepEqual(unknownFields, []);
      if (kind.namespaced) object.metadata.namespace ??= 'default';
      const strategy = strategyFor(kind);
      strategy.applyDefaults(object);
      strategy.prepareForCreate(object);
      assert.deepEqual(strategy.validate(object), []);
    }
  });
}
