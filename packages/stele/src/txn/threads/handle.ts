/**
 * SharedHandle: what `share()` gives away and `attachEngine` takes: the memory of the database and how to reach its files.
 *
 * It may be posted to threads of the process. Where there is no SharedArrayBuffer it refuses to be cloned (`inline` is a function),
 * because a copy of the memory would go stale; then it serves readers on the owner's own thread.
 *
 * Specification: spec/transactions.md, "Reading threads".
 */

export interface SharedHandle {
  readonly kind: 'stele shared';
  /** Of this shape; a reader of another version refuses. */
  readonly version: 1;
  readonly databaseId: Uint8Array;
  readonly pageBytes: number;
  /** See control.ts. */
  readonly control: Int32Array;
  readonly frames: Uint8Array;
  readonly versions: Int32Array;
  readonly ref: Uint8Array;
  readonly frameOf: Int32Array;
  readonly placeLow: Uint32Array;
  readonly placeHigh: Uint16Array;
  readonly checksum: Uint32Array;
  readonly ring: Uint32Array;
  /** `storage.transfer()`: from it a thread makes its host. undefined: this thread only. */
  readonly storage: unknown;
  readonly viewIdleMs: number;
  readonly inline: (() => void) | undefined;
}
