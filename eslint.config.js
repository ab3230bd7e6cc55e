// The walls: imports point one way, lib <- api <- client <- components <- cluster <- cli, and `host` is for shells only.
// A folder may import itself and the folders its row names. Each message says what to do instead.
import tseslint from 'typescript-eslint';

const components = ['store', 'apiserver', 'controllers', 'scheduler', 'kubelet', 'proxy', 'dns', 'diagnose'];

/** folder -> folders it may import besides itself */
const walls = {
  lib: [],
  api: ['lib'],
  host: ['lib'],
  client: ['lib', 'api'],
  store: ['lib', 'host'],
  apiserver: ['lib', 'api', 'client', 'store', 'host'],
  controllers: ['lib', 'api', 'client'],
  scheduler: ['lib', 'api', 'client'],
  kubelet: ['lib', 'api', 'client', 'host'],
  proxy: ['lib', 'api', 'client', 'host'],
  dns: ['lib', 'api', 'client'],
  diagnose: ['lib', 'api', 'client', 'host', 'proxy', 'dns'],
  cluster: ['lib', 'api', 'client', 'host', ...components],
  cli: ['lib', 'api', 'client', 'host', 'cluster', ...components],
};
const folders = Object.keys(walls);

const wallRules = folders.map((folder) => ({
  files: [`src/${folder}/**/*.ts`],
  ignores: ['src/**/*.test.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: folders
          .filter((other) => other !== folder && !walls[folder].includes(other))
          .map((other) => ({
            regex: `^(\\.\\./)+${other}/`,
            message: `src/${folder} must not import src/${other}: parts meet only through API objects (ARCHITECTURE.md, "Imports").`,
          })),
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['node_modules', '.toolchain', '**/testdata/**'] },
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'it', 'describe', 'suite'], package: 'node:test' },
          ],
        },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['**/*.test.ts', '**/*-suite.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'max-lines': 'off',
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['src/cli/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/**/*.test.ts', 'src/lib/node-http.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: ['node:http', 'node:https'].map((name) => ({
            name,
            allowTypeImports: true,
            message: 'Import from src/lib/node-http.ts, which says why.',
          })),
        },
      ],
    },
  },
  ...wallRules,
);
