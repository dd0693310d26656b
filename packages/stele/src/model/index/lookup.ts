/**
 * Looking records up by the values of their fields.
 *
 * A lookup sees one view: now, a snapshot, the past, or a transaction with its own writes. Which index serves is decided by what the view
 * sees of the catalog, so an index declared later is missing there, and one dropped since still serves.
 *
 * Invariants
 * - Rows come in the order of the index: by the fields, then by the record.
 * - In a transaction the range that was looked at joins the read set, and so does the catalog.
 *
 * Specification: spec/policies.md, "Looking up".
 */

import { SteleError } from '../../base/errors.ts';
import type { Entry, Reader } from '../../txn/types.ts';
import { decodeSegment } from '../path/decode.ts';
import { describe } from '../path/layout.ts';
import { behind, type Place } from '../place.ts';
import type { VersionedReader } from '../policy/book.ts';
import type { KeptMaintainer } from '../policy/catalog.ts';
import { indexMissing } from '../policy/plan.ts';
import { catalogKey } from '../policy/system-keys.ts';
import type { Held } from '../reading.ts';
import { rowsOf } from '../rows.ts';
import type { Codec, Store } from '../store.ts';
import type { IndexKey, Match, Rows } from '../types.ts';
import type { Value } from '../value/types.ts';
import { readDefinition } from './definition.ts';
import { decodeWindows, isWithin } from './derived-entry.ts';
import { derivedHead } from './derived-key.ts';
import { fieldEnd, INDEX_KEY_BYTES_MAX, NOT_INDEXABLE, SCRATCH_BYTES, TOO_LONG, writeField } from './field-key.ts';
import { INDEX_KIND, recordKeyOf } from './index-maintainer.ts';
import { findMember, type MemberCursor } from './member.ts';

/** A view or a transaction. */
type TimedReader = VersionedReader & { readonly timeMs: number };

/**
 * The records of the place whose fields begin with `key`.
 *
 * @throws {SteleError} `invalid` INDEX_MISSING, INDEX_NOT_READY, INDEX_KEY_INVALID, from the call and from each iteration
 */
export function lookupRows<V>(store: Store, place: Place, name: string, key: IndexKey, hold: () => Held): Rows<Match<V>> {
  const held = hold();
  try {
    lookupRange(store, place, name, key, held.reader);
  } finally {
    held.close();
  }
  return rowsOf<Match<V>>(() => new LookupIterator<V>(store, place, name, key, hold()));
}

class LookupIterator<V> implements Iterator<Match<V>, undefined> {
  readonly #held: Held;
  readonly #codec: Codec;
  readonly #prefix: Uint8Array;
  readonly #range: LookupRange;
  readonly #entries: Iterator<Entry>;

  constructor(store: Store, place: Place, name: string, key: IndexKey, held: Held) {
    this.#held = held;
    this.#codec = store.codec;
    this.#prefix = place.prefixKey([]);
    try {
      this.#range = lookupRange(store, place, name, key, held.reader);
      this.#entries = held.reader.scan(this.#range)[Symbol.iterator]();
    } catch (error) {
      held.close();
      throw error;
    }
  }

  next(): IteratorResult<Match<V>, undefined> {
    const { reader } = this.#held;
    for (;;) {
      const step = this.#entries.next();
      if (step.done === true) {
        this.#held.close();
        return { done: true, value: undefined };
      }
      const { key, value, version, expiresAt } = step.value;
      if (value.length > 0 && !isWithin(decodeWindows(value, expiresAt ?? 0), (reader as TimedReader).timeMs)) continue;
      return { done: false, value: this.#match(key, version) };
    }
  }

  #match(key: Uint8Array, version: number): Match<V> {
    let idAt = this.#range.headBytes;
    for (let field = 0; field < this.#range.fields; field++) idAt = fieldEnd(key, idAt, key.length);
    const record = this.#held.reader.entry(recordKeyOf(this.#prefix, key, idAt));
    return {
      path: [decodeSegment(key, idAt, key.length)],
      value: record === undefined ? undefined : (this.#codec.decode(record.value, 0, record.value.length) as V),
      version: record === undefined ? version : record.version,
    };
  }

  return(): IteratorResult<Match<V>, undefined> {
    this.#entries.return?.();
    this.#held.close();
    return { done: true, value: undefined };
  }
}

interface LookupRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly headBytes: number;
  readonly fields: number;
}

function lookupRange(store: Store, place: Place, name: string, key: IndexKey, reader: Reader): LookupRange {
  const { id, definition } = servingIndex(store, place.prefixKey([]), name, reader as TimedReader);
  const { fields } = readDefinition(definition);
  if (key.length > fields.length) throw keyInvalid(name, `${key.length} values`, `at most ${fields.length}, one for each field`);
  const head = derivedHead(id);
  const scratch = new Uint8Array(SCRATCH_BYTES);
  scratch.set(head);
  let end = head.length;
  key.forEach((value, at) => {
    end = writeValue(store.codec, name, value, at, scratch, end);
  });
  const start = scratch.slice(0, end);
  return { start, end: behind(start), headBytes: head.length, fields: fields.length };
}

/** The index that serves the view. @throws {SteleError} `invalid` INDEX_MISSING, INDEX_NOT_READY */
function servingIndex({ book }: Store, prefix: Uint8Array, name: string, reader: TimedReader): KeptMaintainer {
  if ('peek' in reader) reader.has(catalogKey()); // a transaction
  const subtree = book.declaredIn(prefix, reader);
  const living = (subtree?.maintainers ?? []).filter((kept) => kept.kind === INDEX_KIND && kept.name === name && kept.state !== 'dropping');
  const serving = living.find(({ state }) => state === 'ready');
  if (serving !== undefined) return serving;
  if (living.length === 0) throw indexMissing(name, subtree);
  throw new SteleError('invalid', 'INDEX_NOT_READY', `index ${JSON.stringify(name)} is being built at version ${reader.version}`, {
    detail: { index: name, version: reader.version },
  });
}

function writeValue(codec: Codec, name: string, value: unknown, at: number, out: Uint8Array, end: number): number {
  const cursor: MemberCursor = { tag: 0, start: 0, end: 0 };
  const bytes = codec.encode(value as Value);
  findMember(bytes, [], 0, cursor);
  const next = writeField(bytes, cursor, out, end);
  if (next === NOT_INDEXABLE)
    throw keyInvalid(
      name,
      `${describe(value)} for field ${at + 1}`,
      'text, a number that is not NaN, a bigint, a boolean, bytes or a Date',
    );
  if (next === TOO_LONG || next > INDEX_KEY_BYTES_MAX)
    throw keyInvalid(name, `more than ${INDEX_KEY_BYTES_MAX} bytes up to field ${at + 1}`, 'a key that a record can have');
  return next;
}

function keyInvalid(name: string, found: string, expected: string): SteleError {
  return new SteleError('invalid', 'INDEX_KEY_INVALID', `index ${JSON.stringify(name)}: found ${found}, expected ${expected}`, {
    detail: { index: name },
  });
}
