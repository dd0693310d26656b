/**
 * The reading half of the byte interface over a reader of the reference: slow, complete, and the same for the
 * newest state, a view and a transaction. Returned bytes are copies, as the interface promises.
 */

import type { Decode, Entry, KeyRange, Make, Reader, ScanRange, Walk } from '../../src/txn/types.ts';
import type { ReferenceReader } from './reference.ts';

export abstract class FakeReader implements Reader {
  /** The reader of the reference to ask, for a read of this range; may refuse. */
  protected abstract source(range: KeyRange): ReferenceReader;

  entry(key: Uint8Array): Entry | undefined {
    const entry = this.source(rangeOf(key)).entry(key);
    return entry === undefined ? undefined : copyOf(entry);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.entry(key)?.value;
  }

  has(key: Uint8Array): boolean {
    return this.entry(key) !== undefined;
  }

  read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    const value = this.get(key.subarray(0, keyBytes));
    return value === undefined ? undefined : decode(value, 0, value.length);
  }

  getMany(keys: readonly Uint8Array[]): (Uint8Array | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  readMany<T>(keys: readonly Uint8Array[], decode: Decode<T>): (T | undefined)[] {
    return keys.map((key) => this.read(key, key.length, decode));
  }

  async getAsync(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.get(key);
  }

  async getManyAsync(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.getMany(keys);
  }

  scan(range: ScanRange = {}): IterableIterator<Entry> {
    return this.source(range).scan(range).map(copyOf).values();
  }

  walk<T>(range: ScanRange, make: Make<T>): Walk<T> {
    const made = (rest: ScanRange): Iterator<T, undefined> =>
      [...this.scan(rest)]
        .map(({ key, value, version, expiresAt }) => make(key, key.length, value, 0, value.length, version, expiresAt ?? 0))
        [Symbol.iterator]() as Iterator<T, undefined>;
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    let inner = made(range);
    const walk: Walk<T> = {
      [Symbol.iterator]: () => walk,
      next() {
        left--;
        return inner.next();
      },
      return: () => {
        inner = [][Symbol.iterator]();
        return { done: true, value: undefined };
      },
      skipTo: (key, keyBytes) => {
        const bound = key.slice(0, keyBytes);
        inner = made({ ...range, limit: left, ...(range.reverse === true ? { end: bound } : { start: bound }) });
      },
    };
    return walk;
  }

  forEach(
    range: ScanRange,
    visit: (key: Uint8Array, keyLength: number, bytes: Uint8Array, start: number, end: number, version: number) => boolean | void,
  ): number {
    const source = this.source(range);
    let visited = 0;
    let stopped = false;
    for (const { key, value, version } of source.look(range)) {
      visited++;
      stopped = visit(key, key.length, value, 0, value.length, version) === false;
      if (stopped) break;
    }
    source.scan(stopped ? { ...range, limit: visited } : range); // joins what was handed out
    return visited;
  }

  count(range: KeyRange = {}): number {
    return this.source(range).count(range);
  }

  first(range: KeyRange = {}): Entry | undefined {
    return this.nth(range, 0);
  }

  last(range: KeyRange = {}): Entry | undefined {
    return this.scan({ ...range, reverse: true, limit: 1 }).next().value;
  }

  nth(range: KeyRange, n: number): Entry | undefined {
    const entry = this.source(range).nth(range, n);
    return entry === undefined ? undefined : copyOf(entry);
  }
}

function copyOf(entry: Entry): Entry {
  return { ...entry, value: entry.value.slice() };
}

/** The range of one key. */
export function rangeOf(key: Uint8Array): KeyRange {
  const end = new Uint8Array(key.length + 1);
  end.set(key);
  return { start: key, end };
}
