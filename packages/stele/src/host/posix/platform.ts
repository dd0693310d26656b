/**
 * Small questions to Node: permissions, and where our worker modules lie.
 */

/**
 * Location of module `name` beside `from`, with the same extension: `.ts` when run from source, `.js` when built.
 *
 * @param from `import.meta.url` of the asking module.
 */
export function siblingModule(from: string, name: string): URL {
  return new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from);
}

/** False only when Node's permission model is on and refuses `scope`. */
export function hasPermission(scope: string): boolean {
  const permission = (process as { permission?: { has(scope: string): boolean } }).permission;
  return permission === undefined || permission.has(scope);
}
