/**
 * A transaction of the reference: reads of one moment, writes kept aside, and at the end the question whether
 * it would have read the same at the moment of its commit.
 *
 * - Its view is (version, time) of `begin`, overlaid with its own writes in their order.
 * - Its read set is a list of key ranges: what was examined, missing keys and the gaps of a scan included. A point read
 *   of a key the transaction wrote itself examines nothing.
 * - It conflicts when a later commit had an effect on a key of the read set, or a live entry of its view within the read set
 *   has expired at the time of the commit. It conflicts in no other case. Without writes it never conflicts.
 * - Puts and deletes are blind: they are a batch, judged at the commit.
 *
 * Specification: spec/transactions.md, "Transactions".
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Entry, KeyRange, Operation, ScanRange } from '../../src/txn/types.ts';
import { inRange, keyBytes, keyText, onlyKey, type TextRange, textRange } from './keys.ts';
import { cut, type Moment, type Receipt, type Reference, type ReferenceReader } from './reference.ts';

export class ReferenceTransaction implements ReferenceReader {
  readonly at: Moment;
  readonly operations: Operation[] = [];
  readonly reads: TextRange[] = [];
  /** The first moment at which a live entry of its view, in what it examined, is gone. */
  earliestExpiry = Infinity;
  readonly #reference: Reference;
  /** Own writes are judged at the time of the view, also when the reads are asked again at another moment. */
  readonly #ownTimeMs: number;

  constructor(reference: Reference, at: Moment, ownTimeMs = at.timeMs) {
    this.#reference = reference;
    this.at = at;
    this.#ownTimeMs = ownTimeMs;
  }

  /** A put or a delete is blind. A range is deleted as it is seen: examined, then one delete per key. */
  write(operation: Operation): void {
    if (operation.type !== 'deleteRange') this.operations.push(operation);
    else for (const { key } of this.scan(operation)) this.operations.push({ type: 'delete', key });
  }

  entry(key: Uint8Array): Entry | undefined {
    const text = keyText(key);
    if (this.#own(text) === undefined) this.#examine(onlyKey(text));
    return this.peek(text);
  }

  /** Joins what was handed out: to the last entry when the limit ended it, else the whole range. */
  scan(range: ScanRange = {}): Entry[] {
    const found = this.look(range);
    const whole = textRange(range);
    const last = found.at(-1);
    if (range.limit === 0) return found;
    if (found.length !== range.limit || last === undefined) this.#examine(whole);
    else if (range.reverse === true) this.#examine({ start: keyText(last.key), end: whole.end });
    else this.#examine({ start: whole.start, end: onlyKey(keyText(last.key)).end });
    return found;
  }

  look(range: ScanRange = {}): Entry[] {
    return cut(this.#visible(range), range, (key) => this.peek(key) as Entry);
  }

  count(range?: KeyRange): number {
    return this.scan({ ...range }).length;
  }

  nth(range: KeyRange, n: number): Entry | undefined {
    return this.scan({ ...range, limit: n + 1 })[n];
  }

  mayBeExpired(): boolean {
    return false;
  }

  /** The entry as the transaction sees it, joining nothing. Own writes have version 0: not committed yet. */
  peek(text: string): Entry | undefined {
    const own = this.#own(text);
    if (own === undefined) return this.#reference.entryAt(text, this.at);
    if (own.type !== 'put') return undefined;
    const expiresAt = own.ttlMs === undefined ? own.expiresAt : this.#ownTimeMs + own.ttlMs;
    if (expiresAt !== undefined && this.#ownTimeMs >= expiresAt) return undefined;
    return { key: keyBytes(text), value: own.value, version: 0, expiresAt };
  }

  /** Why it may not commit at this time, `newest` being the newest version then; or undefined. */
  conflict(nowMs: number, newest = this.#reference.version): string | undefined {
    if (this.operations.length === 0) return undefined;
    if (this.earliestExpiry <= nowMs) return `something read expired at ${this.earliestExpiry}`;
    for (const range of this.reads) {
      for (const key of this.#reference.keysIn(range)) {
        const written = this.#reference.effectAt(key, newest)?.version ?? 0;
        if (written > this.at.version) return `${JSON.stringify(key)} was written at ${written}`;
      }
    }
    return undefined;
  }

  /** @throws {SteleError} `conflict` CONFLICT */
  commit(nowMs: number, assertedTimeMs?: number): Receipt {
    if (this.operations.length === 0) {
      const { version } = this.at;
      return { version, timeMs: this.#reference.timeOf(version), changed: 0 };
    }
    const reason = this.conflict(nowMs);
    if (reason !== undefined) throw new SteleError('conflict', 'CONFLICT', reason);
    return this.#reference.commit(this.operations, nowMs, assertedTimeMs);
  }

  #examine(range: TextRange): void {
    this.reads.push(range);
    for (const key of this.#reference.keysIn(range)) {
      const expiresAt = this.#reference.effectAt(key, this.at.version)?.expiresAt ?? Infinity;
      if (this.at.timeMs < expiresAt) this.earliestExpiry = Math.min(this.earliestExpiry, expiresAt);
    }
  }

  /** The newest own operation that decides this key. */
  #own(text: string): Operation | undefined {
    return this.operations.findLast((operation) => operation.type !== 'deleteRange' && keyText(operation.key) === text);
  }

  #visible(range?: KeyRange): string[] {
    const whole = textRange(range);
    const keys = new Set(this.#reference.keysIn(whole));
    for (const operation of this.operations) {
      if (operation.type === 'put' && inRange(keyText(operation.key), whole)) keys.add(keyText(operation.key));
    }
    return [...keys].sort((a, b) => (a < b ? -1 : 1)).filter((key) => this.peek(key) !== undefined);
  }
}
