/**
 * attachEngine: from a shared handle to a reader, in whatever thread calls it.
 *
 * Specification: spec/transactions.md, "Reading threads".
 */

import type { Host } from '../../host/host.ts';
import type { SharedHandle } from './handle.ts';
import { type ThreadEngine, ThreadReader } from './thread-reader.ts';

/**
 * Reads the database of `handle` in this thread.
 *
 * @param options.host leads to the same files: in another thread made from `handle.storage`, on the owner's thread the owner's own.
 * @throws {SteleError} `invalid` OPTION_INVALID, NOT_FOUND; `corrupt` WRONG_DATABASE; `closed` DATABASE_CLOSED; `unavailable` COMMIT_UNKNOWN
 */
export function attachEngine(handle: SharedHandle, options: { readonly host: Host }): ThreadEngine {
  return new ThreadReader(handle, options.host);
}
