/**
 * Dates made of given numbers: the one place below the public surface that names the type, since asking it for *now* would be the
 * ambient world. A Date is a value here, like any other.
 */

/** A date as a value. */
// biome-ignore lint/style/noRestrictedGlobals: the type only
export type Instance = Date;

/** The date `timeMs` after the epoch. */
export function dateOf(timeMs: number): Instance {
  // biome-ignore lint/style/noRestrictedGlobals: made from a given number, asks no clock
  return new Date(timeMs);
}

export function isDate(value: unknown): value is Instance {
  // biome-ignore lint/style/noRestrictedGlobals: asks no clock
  return value instanceof Date;
}
