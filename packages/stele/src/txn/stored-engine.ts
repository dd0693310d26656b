/**
 * The engine: an open database from its opening to its close.
 *
 * Reading is in newest-reader.ts, writing in writing-engine.ts; this file puts the parts of an engine together and ends
 * them in order. Rare and long work comes in as chores (chores.ts).
 *
 * Specification: spec/transactions.md.
 */

import { invariant, SteleError } from '../base/errors.ts';
import type { ExclusionLock, Timer } from '../host/host.ts';
import { KIND_CLEAN_CLOSE } from '../log/record-format.ts';
import type { Chores } from './chores.ts';
import type { Core } from './core.ts';
import { FLUSH_LIMITS, Flusher } from './flusher.ts';
import { GroupCommit } from './group-commit.ts';
import { HeaderWriter } from './header-writer.ts';
import { Housekeeper } from './housekeeper.ts';
import { nothingHere, type Opened, openCore } from './open.ts';
import { checkOptions, described } from './options.ts';
import { checkRules } from './retention.ts';
import { Room } from './room.ts';
import { engineStats } from './stats.ts';
import type { SharedHandle } from './threads/handle.ts';
import { Sharing } from './threads/sharing.ts';
import type { Engine, EngineOptions, EngineStats, RetentionRules, VerifyReport } from './types.ts';
import { refuseUnfinished } from './unfinished.ts';
import { WritingEngine } from './writing-engine.ts';

const KEEP_ALIVE_MS = 20;

/** @throws {SteleError} as `openEngine` (engine.ts) */
export function openStored(options: EngineOptions, chores: Chores): Engine {
  const settings = checkOptions(options);
  const { host } = options;
  if (settings.readOnly && host.storage.list().length === 0) throw nothingHere();
  const lock = host.storage.lock(settings.readOnly ? { shared: true } : undefined);
  try {
    refuseUnfinished(host.storage);
    return new StoredEngine(openCore(host, settings), lock, chores);
  } catch (error) {
    lock.release();
    throw error;
  }
}

class StoredEngine extends WritingEngine implements Engine {
  readonly #lock: ExclusionLock;
  readonly #flusher: Flusher;
  readonly #headers: HeaderWriter;
  readonly #keeper: Housekeeper;
  readonly #replayed: number;
  readonly #listeners = new Set<(firstVersion: number, lastVersion: number) => void>();
  readonly #durableListeners = new Set<(version: number | undefined) => void>();
  readonly #chores: Chores;
  #closing: Promise<void> | undefined;

  constructor(opened: Opened, lock: ExclusionLock, chores: Chores) {
    const { core, applier } = opened;
    const flusher = new Flusher(core, FLUSH_LIMITS, opened.looseLargeFrom);
    const room = new Room(core, () => flusher.flushNow());
    super(core, { applier, room, flusher });
    const { host, settings, log } = core;
    this.#lock = lock;
    this.#chores = chores;
    this.#replayed = opened.replayed;
    this.#flusher = flusher;
    core.group = new GroupCommit(
      {
        log,
        timers: host.timers,
        monotonicMs: () => host.clock.monotonicMs(),
        debounceMs: settings.debounceMs,
        appended: () => log.headCommit,
        applied: () => core.applied,
        onWritten: () => core.share?.publish(),
        onDurable: (commit) => this.#tellDurable(commit),
        onReported: (first, last) => this.#reported(first, last),
        onFailure: (error) => this.#failed(error),
      },
      core.applied,
    );
    core.tickMs = host.clock.monotonicMs();
    core.takeBackCleanMark = () => flusher.flushNow();
    flusher.onFlushed = () => core.share?.flushed();
    this.#headers = new HeaderWriter(core, core.pageFile.databaseId);
    this.#keeper = new Housekeeper(core, room, applier, flusher, this.#headers);
    this.#keeper.start();
  }

  get databaseId(): Uint8Array {
    return this.core.pageFile.databaseId.slice();
  }

  onCommitted(listener: (firstVersion: number, lastVersion: number) => void): Disposable {
    if (typeof listener !== 'function')
      throw new SteleError('invalid', 'LISTENER_INVALID', `listener is ${described(listener)}, expected a function`);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  onDurable(listener: (version: number | undefined) => void): Disposable {
    if (typeof listener !== 'function')
      throw new SteleError('invalid', 'LISTENER_INVALID', `listener is ${described(listener)}, expected a function`);
    this.core.assertReadable();
    this.#durableListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#durableListeners.delete(listener) };
  }

  /** In a turn of its own, behind the promises of the commits. */
  #tellDurable(version: number | undefined): void {
    if (this.#durableListeners.size === 0) return;
    this.core.host.timers.microtask(() => {
      for (const listener of this.#durableListeners) this.#tell(() => listener(version));
    });
  }

  /** The commit stands whatever a listener makes of it. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.core.settings.logger({
        level: 'error',
        message: `a listener of commits threw: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }

  #reported(first: number, last: number): void {
    this.core.share?.publish();
    if (this.#listeners.size === 0) return;
    // After the promises: their reactions are already queued.
    this.core.host.timers.microtask(() => {
      for (const listener of this.#listeners) this.#tell(() => listener(first, last));
    });
  }

  get retention(): RetentionRules {
    return { rules: this.core.retention.ranges.filter((range) => range.isRule).map(({ prefix, historyMs }) => ({ prefix, historyMs })) };
  }

  setRetention(rules: RetentionRules): void {
    this.core.assertWritable();
    checkRules(rules);
    const { logRetention } = this.core.settings;
    const longest = rules.rules.reduce((max, rule) => Math.max(max, rule.historyMs), 0);
    if (logRetention !== undefined && logRetention < longest) {
      throw new SteleError('invalid', 'RETENTION_RULES', `history of ${longest} ms is longer than logRetention, ${logRetention} ms`);
    }
    this.core.changeRetention(rules);
  }

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
    const compactTree = await this.#chores.compact();
    this.core.assertWritable();
    await compactTree(this.core, this.#flusher, options);
    await this.#keeper.beat(true);
  }

  async backup(target: Parameters<Engine['backup']>[0], options: Parameters<Engine['backup']>[1] = {}): Promise<void> {
    this.core.assertReadable();
    if (typeof target?.list !== 'function')
      throw new SteleError(
        'invalid',
        'OPTION_INVALID',
        `backup target is ${described(target)}, expected a storage, such as posixHost('./copy').storage`,
      );
    const backupTo = await this.#chores.backup();
    this.core.assertReadable();
    await backupTo(this.core, this.#flusher, target, options, () => this.#headers.advance(true));
  }

  async verify(options: Parameters<Engine['verify']>[0] = {}): Promise<VerifyReport> {
    this.core.assertReadable();
    const verifyCore = await this.#chores.verify();
    this.core.assertReadable();
    return verifyCore(this.core, options);
  }

  stats(): EngineStats {
    return engineStats(this.core, { flusher: this.#flusher, keeper: this.#keeper, headers: this.#headers, replayed: this.#replayed });
  }

  #failed(error: unknown): void {
    const { core } = this;
    if (core.status !== 'open' && core.status !== 'closing') return;
    core.status = 'failed';
    core.share?.failed();
    core.isPlain = false;
    this.#tellDurable(undefined);
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
    // From here on nothing new is accepted; what was is brought to its level.
    if (core.status === 'open') core.status = 'closing';
    this.unshare();
    this.#headers.cancel();
    const alive = keepAlive(core);
    try {
      await this.#keeper.stop();
      if (core.status === 'closing' && !core.settings.readOnly) await this.#closeCleanly();
    } finally {
      core.status = 'closed';
      core.isPlain = false;
      this.#tellDurable(undefined);
      core.group.stop();
      await this.#headers.stop();
      alive.cancel();
      this.closeFallback();
      core.log.close();
      core.index.close();
      core.pageFile.close();
      this.#lock.release();
    }
  }

  async #closeCleanly(): Promise<void> {
    const { core } = this;
    await core.group.sync();
    await this.#flusher.settle();
    if (core.group.failure !== undefined) return;
    if (!core.isKeptChanged && core.flushedCommit === core.applied && core.pages.dirtyCount === 0 && core.isMarkedClean) return;
    invariant(core.log.headCommit === core.applied, 'a commit is in the log and not in the tree at the close');
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
