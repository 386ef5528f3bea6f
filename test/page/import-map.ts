// SPDX-License-Identifier: Apache-2.0
/** Where a page that is served the project's folders finds the runtime dependencies of the published files. */
export const importMap = {
  comlink: '/node_modules/comlink/dist/esm/comlink.mjs',
  valibot: '/node_modules/valibot/dist/index.mjs',
}
