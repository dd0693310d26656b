/**
 * An engine that is the reference behind the byte interface, with bugs to order.
 *
 * It serves two ends: the racks can be written before the engine, and each of {@link bugNames} is a lie the racks must
 * catch, which is how we know that they can. It keeps its promises in the laziest legal way: whatever retention lets
 * go is refused from the next flush on.
 */

import { SteleError } from '../../src/base/errors.ts';
import type {
  Change,
  Commit,
  CommitOptions,
  CommitRecord,
  Engine,
  EngineStats,
  HistoryEntry,
  KeyRange,
  Operation,
  RetentionRules,
  Transaction,
  VerifyReport,
  View,
  ViewOptions,
  WriteOptions,
} from '../../src/txn/types.ts';
import { FakeReader } from './fake-reader.ts';
import { FakeTransaction, FakeView } from './fake-views.ts';
import { keyBytes, keyText, textRange } from './keys.ts';
import { isBelow, type Moment, type Receipt, Reference, type ReferenceReader } from './reference.ts';
import type { Instant } from './retention.ts';

/** Each is one line somewhere below or in fake-views.ts. */
export const bugNames = [
  'expires one millisecond late',
  'view follows the newest version',
  'delete of nothing commits',
  'point reads are not validated',
  'ranges are not validated',
  'expiry is not validated',
  'reads are validated against the first key only',
  'time follows the clock back',
  'conditions see the batch',
  'first effect counts',
  'reopening loses the last commit',
  'history forgets the end by expiry',
  'refuses what is promised',
  'answers wrongly where it forgot',
  'count keeps the expired',
  'reverse scan skips one',
  'rival is overwritten',
  'equal put writes nothing',
  'asOf judges expiry now',
  'large value is cut',
] as const;

export type Bug = (typeof bugNames)[number];

/** What survives the fake's closing: put it where a real engine has its files. */
export interface FakeStore {
  reference: Reference;
  /** Refuses from here on what could be dropped at this instant. */
  dropped: Instant | undefined;
}

export function fakeStore(historyMs = Infinity): FakeStore {
  return { reference: new Reference(historyMs), dropped: undefined };
}

export class FakeEngine extends FakeReader implements Engine {
  readonly databaseId = new Uint8Array(16);
  readonly bug: Bug | undefined;
  readonly store: FakeStore;
  readonly #clock: () => number;
  readonly #listeners = new Set<(first: number, last: number) => void>();
  #closed = false;

  constructor(store: FakeStore, clock: () => number, bug?: Bug) {
    super();
    this.store = store;
    this.bug = bug;
    this.#clock = clock;
  }

  get reference(): Reference {
    if (this.#closed) throw new SteleError('closed', 'ENGINE_CLOSED', 'the engine is closed');
    return this.store.reference;
  }
  get version(): number {
    return this.reference.version;
  }
  get visibleVersion(): number {
    return this.version;
  }
  get durableVersion(): number {
    return this.version;
  }

  now(): number {
    const clockMs = this.#clock();
    return this.bug === 'time follows the clock back' ? clockMs : this.reference.now(clockMs);
  }

  moment(version = this.version, timeMs = this.now()): Moment {
    return { version, timeMs: this.bug === 'expires one millisecond late' ? timeMs - 1 : timeMs };
  }

  protected override source(): ReferenceReader {
    const view = this.reference.view(this.moment());
    if (this.bug !== 'count keeps the expired') return view;
    return { ...view, count: (range) => this.reference.view({ ...view, timeMs: 0 }).count(range) };
  }

  // ---- writing

  batchSync(operations: readonly Operation[], options: CommitOptions = {}): Commit {
    return this.wrote(this.reference.commit(this.#spoil(operations), this.now(), options.assertedTimeMs), options);
  }

  wrote(receipt: Receipt, options: CommitOptions = {}): Commit {
    if (receipt.changed > 0) for (const listener of this.#listeners) listener(receipt.version, receipt.version);
    const durability = (options.durability ?? 'immediate') === 'immediate' ? 'device' : 'kernel';
    return { ...receipt, time: new Date(receipt.timeMs), durability, checksum: receipt.changed === 0 ? 0 : receipt.version };
  }

  async batch(operations: readonly Operation[], options?: CommitOptions): Promise<Commit> {
    return this.batchSync(operations, options);
  }
  putSync(key: Uint8Array, value: Uint8Array, options: WriteOptions = {}): Commit {
    return this.batchSync([{ ...options, type: 'put', key, value }], options);
  }
  putFromSync(key: Uint8Array, keyBytes: number, value: Uint8Array, valueBytes: number, options?: WriteOptions): Commit {
    return this.putSync(key.slice(0, keyBytes), value.slice(0, valueBytes), options);
  }

  async putFrom(key: Uint8Array, keyBytes: number, value: Uint8Array, valueBytes: number, options?: WriteOptions): Promise<Commit> {
    return this.putFromSync(key, keyBytes, value, valueBytes, options);
  }

  async put(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Promise<Commit> {
    return this.putSync(key, value, options);
  }
  deleteSync(key: Uint8Array, options: WriteOptions = {}): Commit {
    return this.batchSync([{ ...options, type: 'delete', key }], options);
  }
  async delete(key: Uint8Array, options?: WriteOptions): Promise<Commit> {
    return this.deleteSync(key, options);
  }
  async deleteRange(start: Uint8Array, end: Uint8Array, options?: CommitOptions): Promise<Commit> {
    return this.batchSync([{ type: 'deleteRange', start, end }], options);
  }

  prepare(): { version: number; timeMs: number } {
    return { version: this.version + 1, timeMs: this.now() };
  }

  async deleteRanges(ranges: readonly Required<KeyRange>[], options?: CommitOptions): Promise<Commit> {
    return this.batchSync(
      ranges.map((range) => ({ type: 'deleteRange', ...range })),
      options,
    );
  }

  begin(): Transaction {
    return new FakeTransaction(this);
  }

  async transact<T>(work: (txn: Transaction) => T | Promise<T>, options: CommitOptions & { retries?: number } = {}): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const txn = this.begin();
      try {
        const result = await work(txn);
        txn.commitSync(options);
        return result;
      } catch (error) {
        txn.abort();
        const retry = error instanceof SteleError && error.code === 'CONFLICT' && attempt < (options.retries ?? 10);
        if (!retry) throw error;
      }
    }
  }

  // ---- the past

  snapshot(): View {
    return new FakeView(this, this.moment());
  }
  asOf(version: number, options?: ViewOptions): View {
    const timeMs = this.bug === 'asOf judges expiry now' ? this.now() : this.reference.timeOf(version);
    return new FakeView(this, this.moment(version, timeMs), options);
  }
  asOfTime(timeMs: number, options?: ViewOptions): View {
    if (timeMs > this.now()) throw new SteleError('invalid', 'TIME_INVALID', `time ${timeMs} is in the future`);
    return new FakeView(this, this.moment(this.reference.versionAtTime(timeMs), timeMs), options);
  }
  asOfAsserted(timeMs: number, options?: ViewOptions): View {
    return this.asOf(this.reference.versionAtAsserted(timeMs), options);
  }

  /** Whether this view, opened when this had been dropped, is refused there. */
  forgot(range: KeyRange, view: Moment, dropped: Instant): boolean {
    if (this.bug === 'refuses what is promised' && view.version < dropped.version) return true;
    return isBelow(view, this.reference.horizonOf(textRange(range), dropped));
  }

  history(key: Uint8Array, options: { limit?: number } = {}): IterableIterator<HistoryEntry> {
    const lines = this.reference.history(keyText(key), this.now());
    const kept = this.store.dropped === undefined ? lines : lines.slice(0, this.reference.historyPromised(keyText(key), lines));
    const told = this.bug === 'history forgets the end by expiry' ? kept.filter((line) => !line.expired) : kept;
    return told.slice(0, options.limit).values();
  }

  onDurable(listener: (version: number | undefined) => void): Disposable {
    return this.onCommitted((_first, last) => listener(last));
  }

  changes(from: number): IterableIterator<Change> {
    const commits = this.reference.commits.slice(from + 1);
    return commits
      .map(
        (commit, index): Change => ({
          version: from + 1 + index,
          timeMs: commit.timeMs,
          assertedTimeMs: commit.assertedTimeMs,
          meta: [],
          operations: commit.effects.map((effect) => ({
            ...effect,
            type: effect.value === undefined ? 'delete' : 'put',
            key: keyBytes(effect.key),
          })),
        }),
      )
      .values();
  }

  timeOf(version: number): number {
    return this.reference.timeOf(version);
  }

  commitRecord(version: number): CommitRecord {
    const { timeMs, assertedTimeMs, operations, meta } = this.changes(version - 1).next().value!;
    return { version, timeMs, assertedTimeMs, meta, changed: operations.length, checksum: version };
  }

  onCommitted(listener: (first: number, last: number) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  get retention(): RetentionRules {
    return { rules: [{ prefix: new Uint8Array(0), historyMs: Number.POSITIVE_INFINITY }] };
  }

  setRetention(rules: RetentionRules): void {
    this.reference.setRetention(rules, this.now());
  }

  // ---- care

  async sync(): Promise<{ durableVersion: number }> {
    return { durableVersion: this.version };
  }
  async flush(): Promise<void> {
    this.now();
    this.store.dropped = this.reference.instant();
  }
  async compact(): Promise<void> {
    await this.flush();
  }
  async backup(): Promise<void> {
    throw new SteleError('invalid', 'NOT_BUILT', 'the fake has no files');
  }
  async verify(): Promise<VerifyReport> {
    return { ok: true, pages: 0, entries: this.count(), commits: this.version, logBytes: 0, damages: [] };
  }
  share(): never {
    throw new SteleError('unavailable', 'NOT_SHARED', 'the reference has no memory to share');
  }

  unshare(): void {}

  stats(): EngineStats {
    return {};
  }
  async close(): Promise<void> {
    if (this.#closed) return;
    this.now();
    if (this.bug === 'reopening loses the last commit') this.reference.cutBack(Math.max(0, this.version - 1));
    this.#closed = true;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #spoil(operations: readonly Operation[]): readonly Operation[] {
    const [first] = operations;
    if (first?.type === 'put') {
      const { key, value } = first;
      if (this.bug === 'large value is cut' && value.length > 16384)
        return [{ ...first, value: value.subarray(1) }, ...operations.slice(1)];
      if (
        this.bug === 'equal put writes nothing' &&
        operations.length === 1 &&
        Buffer.compare(this.get(key) ?? new Uint8Array(1), value) === 0
      )
        return [];
    }
    if (this.bug === 'delete of nothing commits' && first?.type === 'delete' && operations.length === 1) {
      return [{ type: 'put', key: first.key, value: new Uint8Array(0), expiresAt: 1 }];
    }
    if (this.bug === 'first effect counts') return operations.toReversed();
    if (this.bug === 'conditions see the batch') {
      return operations.map((operation, index) => {
        if (operation.type === 'deleteRange' || operation.ifVersion === undefined) return operation;
        const written = operations.slice(0, index).some((other) => other.type === 'put' && keyText(other.key) === keyText(operation.key));
        return written ? { ...operation, ifVersion: this.version + 1 } : operation;
      });
    }
    return operations;
  }
}
