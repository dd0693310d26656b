/**
 * Encoder: effects into the log buffer, with the addresses of what they supersede.
 *
 * A *planned effect* is one whose superseded version was looked up and whose size is bounded, so that space can be
 * reserved for all of a commit before the first byte of it is written.
 *
 * Specification: spec/log-format.md, "Commit"; spec/transactions.md, "Commits".
 */

import { carriedBytesBound, metaBytesBound, operationBytesBound, RECORD_BYTES_OVERHEAD } from '../log/sizes.ts';
import type { Applier } from './applier.ts';
import type { Core } from './core.ts';
import { SPINE_BYTES_MAX } from './spine.ts';
import type { Superseded } from './superseded.ts';
import type { CommitOptions } from './types.ts';

const NOTHING = new Uint8Array(0);
/** A version table holds a level or, saved whole, a spine and its levels. */
const TABLE_BYTES_MAX = 4 * SPINE_BYTES_MAX;

/** A superseded version whose log bytes are gone, to be carried. */
export interface CarriedVersion {
  readonly value: Uint8Array;
}

export class Encoder {
  readonly #core: Core;
  readonly #applier: Applier;

  constructor(core: Core, applier: Applier) {
    this.#core = core;
    this.#applier = applier;
  }

  /** What must be carried along when `old` is superseded and kept, else undefined. May load pages. */
  carriedOf(old: Superseded, isKept: boolean, key: Uint8Array, keyBytes: number): CarriedVersion | undefined {
    if (!isKept || this.#core.segments.has(old.commit)) return undefined;
    return { value: old.isTombstone ? NOTHING : this.#applier.storedValue(key, keyBytes) };
  }

  /** Upper bound of what the effect takes in a record. */
  bytesBound(keyBytes: number, valueBytes: number, old: Superseded, carried: CarriedVersion | undefined): number {
    return (
      operationBytesBound(keyBytes, valueBytes, old.mayGetTable ? TABLE_BYTES_MAX : 0) +
      (carried === undefined ? 0 : carriedBytesBound(carried.value.length, 0))
    );
  }

  /** Upper bound of a record's own bytes and its meta. */
  recordBytesBound(options: CommitOptions | undefined): number {
    return RECORD_BYTES_OVERHEAD + metaBytesBound(options?.meta ?? []);
  }

  setMeta(options: CommitOptions | undefined): void {
    if (options === undefined || (options.meta === undefined && options.assertedTimeMs === undefined)) return;
    this.#core.log.setMeta(options.assertedTimeMs ?? 0, options.meta ?? []);
  }

  /** Encodes an effect of which all is known: the superseded version lies at its own place, and no table is due. */
  plain(key: Uint8Array, value: Uint8Array | undefined, expiresAt: number, backCommit: number, backOrdinal: number): void {
    const { log } = this.#core;
    if (value === undefined) log.delete(key, key.length, backCommit, backOrdinal, false, undefined);
    else log.put(key, key.length, value, 0, value.length, expiresAt, backCommit, backOrdinal, false, undefined);
  }

  /** Encodes one effect into the record begun, and leaves in `old` where the superseded version is from now on. */
  effect(
    key: Uint8Array,
    keyBytes: number,
    value: Uint8Array | undefined,
    valueBytes: number,
    expiresAt: number,
    old: Superseded,
    isKept: boolean,
    carried: CarriedVersion | undefined,
    commit: number,
  ): void {
    const { log, counters } = this.#core;
    if (isKept) {
      let ordinal = old.ordinal;
      if (carried !== undefined) {
        ordinal = log.carry(
          old.commit,
          old.isTombstone,
          old.expiresAt,
          old.backCommit,
          old.backOrdinal,
          old.backCarried,
          undefined,
          carried.value,
          0,
          carried.value.length,
        );
        counters.carried++;
      }
      old.keep(this.#core, keyBytes, carried === undefined ? old.commit : commit, ordinal, carried !== undefined);
    }
    const backCommit = isKept ? old.addressCommit : 0;
    const backOrdinal = isKept ? old.addressOrdinal : 0;
    const backCarried = isKept && old.addressCarried;
    if (value === undefined) log.delete(key, keyBytes, backCommit, backOrdinal, backCarried, old.table);
    else log.put(key, keyBytes, value, 0, valueBytes, expiresAt, backCommit, backOrdinal, backCarried, old.table);
  }
}
