/**
 * The engine: the byte interface of types.ts over one open core.
 *
 * This file only connects: requests to the writer, commits to group commit, time to the housekeeper. What each does is
 * said there.
 *
 * Invariants
 * - A blocking call and its async twin do the same and differ only in how the caller waits.
 * - After a failed write or sync reads go on at the durable commit (engine.md rule 19), from the files, by an independent
 *   read-only recovery: what is in memory has gone further and cannot be taken back.
 *
 * Specification: spec/transactions.md.
 */

import { SteleError } from '../base/errors.ts';
import type { ExclusionLock, Timer } from '../host/host.ts';
import { KIND_CLEAN_CLOSE } from '../log/record-format.ts';
import { ENTRY_EXPIRES, ENTRY_LARGE, ENTRY_TOMBSTONE, flagsAt, valueBytesAt, valueStartAt } from '../tree/entry.ts';
import { ABSENT } from '../tree/results.ts';
import type { Applier } from './applier.ts';
import { backupTo } from './backup.ts';
import { checkBounds, collectBatch } from './batch.ts';
import { changesAfter } from './changes.ts';
import { compactTree } from './compact.ts';
import type { Core } from './core.ts';
import { liveIn } from './count.ts';
import { Encoder } from './encoder.ts';
import { FallbackReader } from './fallback-reader.ts';
import { FLUSH_LIMITS, Flusher } from './flusher.ts';
import { GroupCommit } from './group-commit.ts';
import { HeaderWriter } from './header-writer.ts';
import { historyOf } from './history.ts';
import { Housekeeper } from './housekeeper.ts';
import { type Opened, openCore } from './open.ts';
import { checkCommitOptions, checkKey, checkOptions, checkVersion } from './options.ts';
import { checkRange, SightReader } from './reader.ts';
import { Room } from './room.ts';
import { ScanIterator } from './scan-iterator.ts';
import type { Sight } from './scanner.ts';
import { SlicedDelete } from './sliced-delete.ts';
import { engineStats } from './stats.ts';
import type { SharedHandle } from './threads/handle.ts';
import { Sharing } from './threads/sharing.ts';
import { type Committer, EngineTransaction } from './transaction.ts';
import type {
  Change,
  Commit,
  CommitOptions,
  Decode,
  Durability,
  Engine,
  EngineOptions,
  EngineStats,
  Entry,
  HistoryEntry,
  Operation,
  RetentionRules,
  ScanRange,
  Transaction,
  VerifyReport,
  View,
  ViewOptions,
  WriteOptions,
} from './types.ts';
import { refuseUnfinished } from './unfinished.ts';
import { verifyCore } from './verify.ts';
import { PinnedView } from './view.ts';
import { type Applied, Writer } from './writer.ts';

const PENDING_BYTES_MAX = 1024 * 1024;
const KEEP_ALIVE_MS = 20;
/** Larger ranges are deleted in slices. */
const SLICED_FROM = 512;
const SPECIAL = ENTRY_TOMBSTONE | ENTRY_EXPIRES | ENTRY_LARGE;

type Receipt = { -readonly [K in keyof Commit]: Commit[K] };

/**
 * Opens the database in `options.host.storage`, creating it when there is none.
 *
 * Cost: the replay of the log since the last flush; nothing depends on the size of the database.
 *
 * @throws {SteleError} `unavailable` LOCKED; `invalid` OPTION_INVALID, CONFIG_CONFLICT, FORMAT_NEWER, NOT_FOUND;
 *   `corrupt` META_DAMAGED, LOG_DAMAGED, PAGE_CHECKSUM
 */
export function openEngine(options: EngineOptions): Promise<Engine> {
  try {
    return Promise.resolve(openEngineSync(options));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The blocking twin of {@link openEngine}. */
export function openEngineSync(options: EngineOptions): Engine {
  const settings = checkOptions(options);
  const { host } = options;
  const lock = host.storage.lock(settings.readOnly ? { shared: true } : undefined);
  try {
    refuseUnfinished(host.storage);
    return new StoredEngine(openCore(host, settings), lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

class StoredEngine extends SightReader implements Engine, Committer {
  readonly #lock: ExclusionLock;
  readonly #applier: Applier;
  readonly #room: Room;
  readonly #writer: Writer;
  readonly #flusher: Flusher;
  readonly #headers: HeaderWriter;
  readonly #keeper: Housekeeper;
  readonly #replayed: number;
  readonly #listeners = new Set<(firstVersion: number, lastVersion: number) => void>();
  #fallback: FallbackReader | undefined;
  #closing: Promise<void> | undefined;
  #sinceConsidered = 0;

  constructor(opened: Opened, lock: ExclusionLock) {
    super(opened.core);
    const { core } = opened;
    const { host, settings, log } = core;
    this.#lock = lock;
    this.#replayed = opened.replayed;
    this.#applier = opened.applier;
    core.group = new GroupCommit(
      {
        log,
        timers: host.timers,
        monotonicMs: () => host.clock.monotonicMs(),
        debounceMs: settings.debounceMs,
        appended: () => log.headCommit,
        onWritten: () => core.share?.publish(),
        onDurable: () => {},
        onReported: (first, last) => this.#reported(first, last),
        onFailure: (error) => this.#failed(error),
      },
      core.applied,
    );
    core.tickMs = host.clock.monotonicMs();
    this.#flusher = new Flusher(core, FLUSH_LIMITS, opened.looseLargeFrom);
    core.takeBackCleanMark = () => this.#flusher.flushNow();
    const room = new Room(core, () => this.#flusher.flushNow());
    this.#room = room;
    this.#writer = new Writer(core, room, opened.applier);
    this.#headers = new HeaderWriter(core, core.pageFile.databaseId);
    this.#keeper = new Housekeeper(core, room, opened.applier, this.#flusher, this.#headers);
    this.#flusher.onFlushed = () => core.share?.flushed();
    this.#keeper.start();
  }

  get databaseId(): Uint8Array {
    return this.core.pageFile.databaseId.slice();
  }

  get version(): number {
    return this.core.status === 'failed' ? this.core.durable : this.core.applied;
  }

  get visibleVersion(): number {
    return this.core.status === 'failed' ? this.core.durable : this.core.visible;
  }

  get durableVersion(): number {
    return this.core.durable;
  }

  // ---- reading the newest state

  protected override sight(): Sight {
    const { core } = this;
    core.assertReadable();
    return { commit: core.applied, timeMs: core.nowMs(), claim: undefined, skipExpired: false };
  }

  override get(key: Uint8Array): Uint8Array | undefined {
    return this.read(key, key.length, this.core.copyOf);
  }

  override read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    const { core } = this;
    if (!core.isPlain) return this.#readSlowly(key, keyBytes, decode);
    const { tree, pages } = core;
    let location = tree.find(key, keyBytes);
    while (location < ABSENT) {
      pages.load(tree.missed);
      location = tree.find(key, keyBytes);
    }
    if (location < 0) {
      if (!(key instanceof Uint8Array)) checkKey(key);
      return undefined;
    }
    if ((flagsAt(pages, location) & SPECIAL) !== 0) return super.read(key, keyBytes, decode);
    const start = valueStartAt(pages, location);
    return decode(pages.u8, start, start + valueBytesAt(pages, location));
  }

  #readSlowly<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    const { core } = this;
    core.assertReadable();
    return core.status === 'failed' ? this.#durableReader().read(key, keyBytes, decode) : super.read(key, keyBytes, decode);
  }

  override readMany<T>(keys: readonly Uint8Array[], decode: Decode<T>): (T | undefined)[] {
    const { core } = this;
    if (!core.isPlain) return core.status === 'failed' ? this.#durableReader().readMany(keys, decode) : super.readMany(keys, decode);
    const { tree, pages } = core;
    const values = new Array<T | undefined>(keys.length);
    if (this.#locations.length < keys.length) this.#locations = new Float64Array(keys.length * 2);
    const locations = this.#locations;
    for (let from = 0; from < keys.length; ) {
      const to = tree.findMany(keys, locations, from);
      for (let at = from; at < to; at++) {
        const location = locations[at]!;
        if (location < 0) values[at] = undefined;
        else if ((flagsAt(pages, location) & SPECIAL) !== 0) values[at] = SLOW as T;
        else {
          const start = valueStartAt(pages, location);
          values[at] = decode(pages.u8, start, start + valueBytesAt(pages, location));
        }
      }
      from = to;
      if (to < keys.length) pages.load(tree.missed);
    }
    // Large and expiring ones may load pages: only after every location was used.
    for (let at = 0; at < keys.length; at++) if (values[at] === SLOW) values[at] = super.read(keys[at]!, keys[at]!.length, decode);
    return values;
  }

  #locations = new Float64Array(256);

  override scan(range: ScanRange = {}): IterableIterator<Entry> {
    checkRange(range);
    const view = this.#viewOfNow();
    return new ScanIterator(
      this.#readable(),
      view,
      range,
      () => view.check(),
      () => view.close(),
    );
  }

  /** What the newest state is for this engine: after a failure, the durable one. */
  #viewOfNow(): PinnedView {
    const { core } = this;
    core.assertReadable();
    if (core.status === 'failed') return this.#durableReader().view();
    return new PinnedView(core, core.applied, core.nowMs(), undefined, false);
  }

  override has(key: Uint8Array): boolean {
    return this.core.status === 'failed' ? this.#durableReader().has(key) : super.has(key);
  }

  override entry(key: Uint8Array): Entry | undefined {
    return this.core.status === 'failed' ? this.#durableReader().entry(key) : super.entry(key);
  }

  override count(range: Parameters<SightReader['count']>[0] = {}): number {
    return this.core.status === 'failed' ? this.#durableReader().count(range) : super.count(range);
  }

  override forEach(...args: Parameters<SightReader['forEach']>): number {
    return this.core.status === 'failed' ? this.#durableReader().forEach(...args) : super.forEach(...args);
  }

  override getAsync(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.core.status === 'failed' ? this.#durableReader().getAsync(key) : super.getAsync(key);
  }

  /** All keys at one version: what is awaited in between must not tear the answer. */
  override async getManyAsync(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const view = this.#viewOfNow();
    try {
      return await view.getManyAsync(keys);
    } finally {
      view.close();
    }
  }

  /** The core that reads are answered from: after a failure, the durable one. */
  #readable(): Core {
    return this.core.status === 'failed' ? this.#durableReader().durable : this.core;
  }

  #durableReader(): FallbackReader {
    this.#fallback ??= new FallbackReader(this.core);
    return this.#fallback;
  }

  // ---- writing

  put(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Promise<Commit> {
    try {
      checkGiven(value);
      return this.#promise(this.#writer.one(key, value, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  putSync(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Commit {
    checkGiven(value);
    return this.#settle(this.#writer.one(key, value, options), options?.durability);
  }

  delete(key: Uint8Array, options?: WriteOptions): Promise<Commit> {
    try {
      return this.#promise(this.#writer.one(key, undefined, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  deleteSync(key: Uint8Array, options?: WriteOptions): Commit {
    return this.#settle(this.#writer.one(key, undefined, options), options?.durability);
  }

  batch(operations: readonly Operation[], options?: CommitOptions): Promise<Commit> {
    try {
      return this.#promise(this.#batch(operations, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  batchSync(operations: readonly Operation[], options?: CommitOptions): Commit {
    return this.#settle(this.#batch(operations, options), options?.durability);
  }

  #batch(operations: readonly Operation[], options: CommitOptions | undefined): Applied {
    this.core.assertWritable();
    checkCommitOptions(options);
    const timeMs = this.core.nowMs();
    const effects = collectBatch(this.core, this.#applier, this.#writer, operations, timeMs);
    return this.#writer.effects(effects, options, timeMs);
  }

  deleteRange(start: Uint8Array, end: Uint8Array, options?: CommitOptions): Promise<Commit> {
    try {
      this.core.assertWritable();
      checkCommitOptions(options);
      checkBounds(start, end);
      const { core } = this;
      const timeMs = core.nowMs();
      const count = liveIn(core, { start, end });
      if (count > SLICED_FROM) return this.#deleteInSlices(start.slice(), end.slice(), options, timeMs, count);
      const effects = this.#applier.liveKeys(start, end, timeMs).map((key) => ({ key, value: undefined, expiresAt: 0, ttlMs: undefined }));
      return this.#promise(this.#writer.effects(effects, options, timeMs), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #deleteInSlices(start: Uint8Array, end: Uint8Array, options: CommitOptions | undefined, timeMs: number, count: number): Promise<Commit> {
    const { core } = this;
    this.#room.forWrites(count, 0);
    const encoder = new Encoder(core, this.#applier);
    const onApplied = (applied: Applied): Promise<Commit> => this.#promise(applied, options?.durability);
    return new SlicedDelete({ core, room: this.#room, applier: this.#applier, encoder, start, end, timeMs, options, onApplied }).run();
  }

  #promise(applied: Applied, durability: Durability | undefined): Promise<Commit> {
    const { core } = this;
    if (applied.version === 0) return this.#withoutEffect(this.core.applied);
    const receipt: Receipt = {
      version: applied.version,
      timeMs: applied.timeMs,
      durability: 'kernel',
      checksum: applied.checksum,
      changed: applied.changed,
    };
    const promise = core.group.enqueue(applied.version, strongest(core.settings.durability, durability), receipt);
    this.#committed();
    return promise;
  }

  /** Nothing was written: the receipt of `version`, once that has reached the level its own commit asked for. */
  async #withoutEffect(version: number): Promise<Commit> {
    await this.core.group.reached(version);
    return this.#receiptOf(version);
  }

  #receiptOf(version: number): Commit {
    const { core } = this;
    return { version, timeMs: core.timeOf(version), durability: core.durable >= version ? 'device' : 'kernel', checksum: 0, changed: 0 };
  }

  #withoutEffectNow(version: number): Commit {
    this.core.group.reachNow();
    return this.#receiptOf(version);
  }

  #settle(applied: Applied, durability: Durability | undefined): Commit {
    const { core } = this;
    const { version } = applied;
    if (version === 0) return this.#withoutEffectNow(core.applied);
    const receipt: Receipt = {
      version,
      timeMs: applied.timeMs,
      durability: 'kernel',
      checksum: applied.checksum,
      changed: applied.changed,
    };
    core.group.settleNow(version, strongest(core.settings.durability, durability), receipt);
    this.#committed();
    return receipt;
  }

  /** After each commit: a bounded log buffer, and a look whether it is time to flush. */
  #committed(): void {
    const { core } = this;
    if (core.share !== undefined) {
      core.share.committed();
      // A record of this commit may have been written while it was being applied.
      core.share.publish();
    }
    if (core.log.pendingBytes > PENDING_BYTES_MAX) core.group.writeNow();
    if (++this.#sinceConsidered < 16) return;
    this.#sinceConsidered = 0;
    this.#flusher.consider();
  }

  begin(): Transaction {
    return this.#begin();
  }

  #begin(): EngineTransaction {
    this.core.assertReadable();
    this.core.sliced?.finish();
    if (this.core.status === 'failed') throw this.core.group.failure!;
    return new EngineTransaction(this.core, this);
  }

  async transact<T>(work: (txn: Transaction) => T | Promise<T>, options: CommitOptions & { retries?: number } = {}): Promise<T> {
    const { retries = 10, ...commitOptions } = options;
    if (!Number.isSafeInteger(retries) || retries < 0)
      throw new SteleError('invalid', 'OPTION_INVALID', `retries is ${retries}, expected a whole number from 0`);
    for (let attempt = 0; ; attempt++) {
      const txn = this.#begin();
      try {
        const result = await work(txn);
        await this.commit(txn, commitOptions);
        return result;
      } catch (error) {
        txn.abort();
        if (!(error instanceof SteleError) || error.kind !== 'conflict' || attempt >= retries) throw error;
      }
      await new Promise<void>((resolve) => this.core.host.timers.immediate(resolve));
    }
  }

  /** @internal */
  commit(txn: EngineTransaction, options: CommitOptions | undefined): Promise<Commit> {
    try {
      const applied = this.#commitTransaction(txn, options);
      return applied === undefined ? this.#withoutEffect(txn.version) : this.#promise(applied, options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal */
  commitSync(txn: EngineTransaction, options: CommitOptions | undefined): Commit {
    const { version } = txn;
    const applied = this.#commitTransaction(txn, options);
    return applied === undefined ? this.#withoutEffectNow(version) : this.#settle(applied, options?.durability);
  }

  #commitTransaction(txn: EngineTransaction, options: CommitOptions | undefined): Applied | undefined {
    const { core } = this;
    try {
      checkCommitOptions(options);
      if (txn.writes.size === 0) return undefined;
      core.assertWritable();
      const timeMs = core.nowMs();
      txn.validate(timeMs);
      return this.#writer.effects(txn.writes.sorted(), options, timeMs);
    } finally {
      txn.abort();
    }
  }

  // ---- time

  snapshot(): View {
    return this.#viewOfNow();
  }

  asOf(version: number, options?: ViewOptions): View {
    checkVersion('version', version);
    return this.#viewAt(version, undefined, options);
  }

  asOfTime(timeMs: number, options?: ViewOptions): View {
    checkTime(timeMs);
    return this.#viewAt(this.#readable().commitAt(timeMs), timeMs, options);
  }

  asOfAsserted(timeMs: number, options?: ViewOptions): View {
    checkTime(timeMs);
    return this.#viewAt(this.#readable().commitAtAsserted(timeMs), undefined, options);
  }

  #viewAt(version: number, timeMs: number | undefined, options: ViewOptions | undefined): View {
    this.core.assertReadable();
    if (this.core.status === 'failed' && version > this.core.durable) throw this.core.group.failure!;
    const core = this.#readable();
    if (version > core.applied)
      throw new SteleError('invalid', 'VERSION_INVALID', `version ${version} does not exist yet, the newest is ${core.applied}`, {
        detail: { found: version, newest: core.applied },
      });
    const now = core.nowMs();
    if (timeMs !== undefined && timeMs > now)
      throw new SteleError('invalid', 'TIME_INVALID', `time ${timeMs} is in the future, now is ${now}`);
    const claim = core.retention.claim(core.applied);
    return new PinnedView(core, version, timeMs ?? core.timeOf(version), claim, options?.skipExpired === true);
  }

  history(key: Uint8Array, options: { limit?: number } = {}): IterableIterator<HistoryEntry> {
    checkKey(key);
    checkRange({ ...options });
    this.core.assertReadable();
    const core = this.#readable();
    const commit = this.version;
    const keptFrom = core.retention.keptFromOf(key, key.length, core.applied);
    return historyOf(core, key, { commit, timeMs: core.nowMs(), keptFrom }).take(options.limit ?? Number.POSITIVE_INFINITY);
  }

  changes(from: number): IterableIterator<Change> {
    checkVersion('from', from);
    this.core.assertReadable();
    return changesAfter(this.core, from);
  }

  onCommitted(listener: (firstVersion: number, lastVersion: number) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #reported(first: number, last: number): void {
    this.core.share?.publish();
    if (this.#listeners.size === 0) return;
    // After the promises: their reactions are already queued.
    this.core.host.timers.microtask(() => {
      for (const listener of this.#listeners) listener(first, last);
    });
  }

  setRetention(rules: RetentionRules): void {
    this.core.assertWritable();
    const { logRetention } = this.core.settings;
    const longest = Math.max(...rules.rules.map((rule) => rule.historyMs));
    if (logRetention !== undefined && logRetention < longest) {
      throw new SteleError('invalid', 'RETENTION_RULES', `history of ${longest} ms is longer than logRetention, ${logRetention} ms`);
    }
    this.core.changeRetention(rules);
  }

  // ---- life

  async sync(): Promise<{ durableVersion: number }> {
    this.core.assertReadable();
    await this.core.group.sync();
    return { durableVersion: this.core.durable };
  }

  async flush(): Promise<void> {
    this.core.assertWritable();
    await this.#flusher.flush();
  }

  async compact(options: Parameters<Engine['compact']>[0] = {}): Promise<void> {
    this.core.assertWritable();
    await this.#keeper.beat(true);
    await compactTree(this.core, this.#flusher, options);
    await this.#keeper.beat(true);
  }

  async backup(target: Parameters<Engine['backup']>[0], options: Parameters<Engine['backup']>[1] = {}): Promise<void> {
    this.core.assertReadable();
    await backupTo(this.core, this.#flusher, target, options, () => this.#headers.advance());
  }

  verify(options: Parameters<Engine['verify']>[0] = {}): Promise<VerifyReport> {
    this.core.assertReadable();
    return verifyCore(this.core, options);
  }

  stats(): EngineStats {
    return engineStats(this.core, { flusher: this.#flusher, keeper: this.#keeper, headers: this.#headers, replayed: this.#replayed });
  }

  #failed(error: unknown): void {
    const { core } = this;
    if (core.status !== 'open') return;
    core.status = 'failed';
    core.share?.failed();
    core.isPlain = false;
    core.settings.logger({ level: 'error', message: `no further writes: ${error instanceof Error ? error.message : String(error)}` });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  share(): SharedHandle {
    const { core } = this;
    core.assertReadable();
    if (core.status === 'failed') throw core.group.failure!;
    core.share ??= new Sharing(core);
    return core.share.handle();
  }

  unshare(): void {
    this.core.share?.end();
    this.core.share = undefined;
  }

  async #close(): Promise<void> {
    const { core } = this;
    core.sliced?.finish();
    this.unshare();
    this.#headers.cancel();
    const alive = keepAlive(core);
    try {
      await this.#keeper.stop();
      if (core.status === 'open' && !core.settings.readOnly) await this.#closeCleanly();
    } finally {
      core.status = 'closed';
      core.isPlain = false;
      core.group.stop();
      await this.#headers.stop();
      alive.cancel();
      this.#fallback?.close();
      core.log.close();
      core.index.close();
      core.pageFile.close();
      this.#lock.release();
    }
  }

  async #closeCleanly(): Promise<void> {
    const { core } = this;
    await core.group.sync();
    const isUnchanged = !core.isKeptChanged && core.flushedCommit === core.applied && core.pages.dirtyCount === 0 && core.isMarkedClean;
    await this.#flusher.settle();
    if (isUnchanged || core.status !== 'open') return;
    core.status = 'closing';
    core.log.appendMark(KIND_CLEAN_CLOSE, core.nowMs(), new Uint8Array(0));
    core.log.writeGroup();
    core.log.syncNow();
    core.endSegment = core.log.headSegment;
    core.endOffset = core.log.headOffset;
    core.endChecksum = core.log.lastChecksum;
    this.#flusher.flushNow(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Background work does not keep a process alive; somebody who waits for its end must. */
function keepAlive(core: Core): Timer {
  const { timers } = core.host;
  let timer = timers.after(KEEP_ALIVE_MS, false, again);
  function again(): void {
    timer = timers.after(KEEP_ALIVE_MS, false, again);
  }
  return { cancel: () => timer.cancel() };
}

/** Stands for a value that must be read the slow way. */
const SLOW = Symbol('slow') as unknown;

const STRENGTH: Readonly<Record<Durability, number>> = { async: 0, debounced: 1, immediate: 2 };

/** The strongest of database and call wins. */
function strongest(a: Durability, b: Durability | undefined): Durability {
  return b === undefined || STRENGTH[a] >= STRENGTH[b] ? a : b;
}

/** `put` without a value must not become a delete. */
function checkGiven(value: unknown): void {
  if (value === undefined) throw new SteleError('invalid', 'VALUE_INVALID', 'value is undefined, expected bytes');
}

function checkTime(timeMs: number): void {
  if (!Number.isFinite(timeMs) || timeMs < 0)
    throw new SteleError('invalid', 'TIME_INVALID', `time is ${timeMs}, expected ms since the epoch`);
}
