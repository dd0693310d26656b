/** What a read of the log can give besides throwing. The engine and the tree use the same numbers. */

/** Done: the view is filled. */
export const OK = 0;

/** A block is not resident: bring it in (`fillMissed`, `fillMissedAsync`) and call again. Nothing has happened. */
export const MISS = -2;
