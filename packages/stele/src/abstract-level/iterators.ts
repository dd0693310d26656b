/**
 * The three iterators of abstract-level: entries, keys and values, each around a walk.
 *
 * Specification: docs/abstract-level.md, "Iterators".
 */

import {
  AbstractIterator,
  type AbstractIteratorOptions,
  AbstractKeyIterator,
  type AbstractKeyIteratorOptions,
  AbstractValueIterator,
  type AbstractValueIteratorOptions,
} from 'abstract-level';
import type { KeyDecoder } from './keys.ts';
import type { Format } from './types.ts';
import type { ValueDecoder } from './values.ts';
import type { MakeItem, Walk } from './walk.ts';

type Entry = [key: Format | undefined, value: Format | undefined];

export class EntryIterator<TDatabase, K, V> extends AbstractIterator<TDatabase, K, V> {
  readonly #walk: Walk<Entry>;

  constructor(db: TDatabase, options: AbstractIteratorOptions<K, V>, walk: Walk<Entry>) {
    super(db, options);
    this.#walk = walk;
  }

  _next(): Promise<Entry | undefined> {
    return this.#walk.next(this.limit - this.count);
  }

  _nextv(count: number): Promise<Entry[]> {
    return this.#walk.take(count);
  }

  _all(): Promise<Entry[]> {
    return this.#walk.take(this.limit - this.count);
  }

  _seek(target: Format): void {
    this.#walk.seek(target);
  }

  async _close(): Promise<void> {
    this.#walk.close();
  }
}

export class KeyIterator<TDatabase, K> extends AbstractKeyIterator<TDatabase, K> {
  readonly #walk: Walk<Format>;

  constructor(db: TDatabase, options: AbstractKeyIteratorOptions<K>, walk: Walk<Format>) {
    super(db, options);
    this.#walk = walk;
  }

  _next(): Promise<Format | undefined> {
    return this.#walk.next(this.limit - this.count);
  }

  _nextv(count: number): Promise<Format[]> {
    return this.#walk.take(count);
  }

  _all(): Promise<Format[]> {
    return this.#walk.take(this.limit - this.count);
  }

  _seek(target: Format): void {
    this.#walk.seek(target);
  }

  async _close(): Promise<void> {
    this.#walk.close();
  }
}

export class ValueIterator<TDatabase, K, V> extends AbstractValueIterator<TDatabase, K, V> {
  readonly #walk: Walk<Format>;

  constructor(db: TDatabase, options: AbstractValueIteratorOptions<K, V>, walk: Walk<Format>) {
    super(db, options);
    this.#walk = walk;
  }

  _next(): Promise<Format | undefined> {
    return this.#walk.next(this.limit - this.count);
  }

  _nextv(count: number): Promise<Format[]> {
    return this.#walk.take(count);
  }

  _all(): Promise<Format[]> {
    return this.#walk.take(this.limit - this.count);
  }

  _seek(target: Format): void {
    this.#walk.seek(target);
  }

  async _close(): Promise<void> {
    this.#walk.close();
  }
}

/** `decodeKey` is asked for each entry, since it knows whose a key is; undefined: keys or values are not wanted. */
export function entryMaker(
  decodeKey: KeyDecoder | undefined,
  decodeValue: ValueDecoder | undefined,
  isKey: (bytes: Uint8Array, length: number) => boolean,
): MakeItem<Entry> {
  if (decodeKey === undefined)
    return (key, keyBytes, bytes, start, end) => (isKey(key, keyBytes) ? [undefined, decodeValue?.(bytes, start, end)] : undefined);
  return (key, keyBytes, bytes, start, end) => {
    const own = decodeKey(key, keyBytes);
    return own === undefined ? undefined : [own, decodeValue?.(bytes, start, end)];
  };
}

export function valueMaker(decodeValue: ValueDecoder, isKey: (bytes: Uint8Array, length: number) => boolean): MakeItem<Format> {
  return (key, keyBytes, bytes, start, end) => (isKey(key, keyBytes) ? decodeValue(bytes, start, end) : undefined);
}
