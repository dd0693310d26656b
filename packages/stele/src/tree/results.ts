/**
 * Results of tree calls that are not locations.
 *
 * A location is a byte offset into the page memory and positive; every other answer is one of these. A page that is not
 * in memory is a value, not an exception: the call changed nothing, the owner's `missed` names the page, the caller
 * loads it and starts the call again.
 */

/** The key is not in the tree. */
export const ABSENT = -1;
/** A page on the way is not in memory; see the owner's `missed`. */
export const MISS = -2;
/** A cursor stands on an entry. */
export const FOUND = 1;
/** A cursor has no further entry. */
export const END = 0;
