// SPDX-License-Identifier: Apache-2.0
/** Lint rules: the recommended ones, the typed ones that find lost promises, and the bans of CONTRIBUTING.md. */
import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const bans = [
  { selector: 'ExportDefaultDeclaration', message: 'Export by name: one name for one thing.' },
  { selector: 'TSEnumDeclaration', message: 'Use a const object or a union of strings.' },
  { selector: 'TSModuleDeclaration[kind!="global"]', message: 'Use modules, not namespaces.' },
]

const noModuleState = {
  selector: ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind!="const"]',
  message: 'No mutable state at module level: hold it in an object that someone makes and disposes.',
}

const noBareErrors = {
  selector: 'ThrowStatement > NewExpression[callee.name=/^(Error|TypeError|RangeError)$/]',
  message: 'Throw a class of src/base/errors.ts.',
}

export default defineConfig(
  globalIgnores(['dist/', 'build/', '.cache/', 'assembly/', 'node_modules/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-syntax': ['error', ...bans],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/only-throw-error': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...bans, noModuleState, noBareErrors], 'no-console': 'error' },
  },
  { files: ['src/cli/**/*.ts'], rules: { 'no-console': 'off' } },
  { files: ['vitest.config.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'console',
          'process',
          'URL',
          'WebAssembly',
          'performance',
          'setTimeout',
          'clearTimeout',
          'fetch',
          'Buffer',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
)
