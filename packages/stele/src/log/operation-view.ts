/**
 * OperationView: one decoded operation (or carried version), as places in someone else's bytes.
 *
 * One object is filled again and again: nothing is allocated per operation. The ranges are good until the source moves on
 * (the next call on the log or on the view that filled it).
 *
 * Specification: spec/log-format.md, "Operation".
 */

const NOTHING = new Uint8Array(0);

export class OperationView {
  /** Commit that wrote this version (for a carried one: the original commit). */
  commit = 0;
  /** Place in its commit; for a carried one its index among the carrying commit's carried versions. */
  ordinal = 0;
  carried = false;
  isDelete = false;
  /** ms; 0 = never. */
  expiresAt = 0;
  /** Commit of the superseded version, 0 = none. */
  backCommit = 0;
  /** Ordinal in that commit, or carried index when `backCarried` (then in the record of `backCommit`). */
  backOrdinal = 0;
  backCarried = false;

  /** Holds key, table and inline value. */
  bytes: Uint8Array = NOTHING;
  /** `bytes[keyStart, keyEnd)`; empty for a carried version. */
  keyStart = 0;
  keyEnd = 0;
  /** Version table (opaque to the log): `bytes[tableStart, tableEnd)`, empty = none. */
  tableStart = 0;
  tableEnd = 0;
  /** Inline value: `bytes[valueStart, valueEnd)`. Empty when `isLarge` or `isDelete`. */
  valueStart = 0;
  valueEnd = 0;

  /** The value lies in the payload region: read it with `Log.readLarge`. */
  isLarge = false;
  /** Length of the value, inline or large. */
  valueBytes = 0;
  /** Large only: where the value begins. */
  largeSegment = 0;
  largeOffset = 0;
  /** Large only: `bytes[crcStart, ...)` holds a u32 checksum per 16 KiB block. */
  crcStart = 0;

  /** A copy of the key. */
  key(): Uint8Array {
    return this.bytes.slice(this.keyStart, this.keyEnd);
  }

  /** A copy of an inline value. */
  value(): Uint8Array {
    return this.bytes.slice(this.valueStart, this.valueEnd);
  }

  /** A copy of the version table, or undefined. */
  table(): Uint8Array | undefined {
    return this.tableEnd === this.tableStart ? undefined : this.bytes.slice(this.tableStart, this.tableEnd);
  }
}
