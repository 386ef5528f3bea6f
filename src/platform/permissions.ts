// SPDX-License-Identifier: Apache-2.0
/**
 * What Deno's user allows. To use what is not granted fails, or stops the program with a question to its user; so what
 * may be done without looks here first. Other runtimes grant everything, and fail where the system does not.
 */

/** As `Deno.permissions` takes it. */
export type Permission =
  | { readonly name: 'read' | 'write'; readonly path: string }
  | { readonly name: 'env'; readonly variable: string }
  | { readonly name: 'sys'; readonly kind: 'cpus' | 'homedir' }

interface DenoGlobal {
  readonly permissions?: { querySync(permission: Permission): { readonly state: string } }
}

/** True where all of this is granted already. */
export function isGranted(...wanted: readonly Permission[]): boolean {
  const permissions = (globalThis as { readonly Deno?: DenoGlobal }).Deno?.permissions
  return !permissions || wanted.every((permission) => permissions.querySync(permission).state === 'granted')
}

/** A variable of the environment; undefined where it is empty or may not be read. */
export function environment(variable: string): string | undefined {
  return (isGranted({ name: 'env', variable }) && process.env[variable]) || undefined
}
