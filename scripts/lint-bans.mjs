// SPDX-License-Identifier: Apache-2.0
/**
 * The bans of CONTRIBUTING.md as lint rules, each a selector of what it bans and what to do instead; `.oxlintrc.json` says
 * where they hold.
 */
const ban = (selector, message) => ({
  create: (context) => ({ [selector]: (node) => context.report({ node, message }) }),
})

export default {
  meta: { name: 'bans' },
  rules: {
    'default-export': ban('ExportDefaultDeclaration', 'Export by name: one name for one thing.'),
    enum: ban('TSEnumDeclaration', 'Use a const object or a union of strings.'),
    namespace: ban('TSModuleDeclaration[kind!="global"]', 'Use modules, not namespaces.'),
    'module-state': ban(
      ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind!="const"]',
      'No mutable state at module level: hold it in an object that someone makes and disposes.',
    ),
    'bare-error': ban(
      'ThrowStatement > NewExpression[callee.name=/^(Error|TypeError|RangeError)$/]',
      'Throw a class of src/base/errors.ts.',
    ),
  },
}
