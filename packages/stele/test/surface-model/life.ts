/**
 * The life of the database under test: opened, closed, killed, without power, copied; and what was promised meanwhile.
 *
 * A crash is a copy of the machine before the n-th storage operation of what is done meanwhile; the program goes on with the copy. What came back must
 * have every commit that was promised when it was copied, and none that was not asked for.
 *
 * Specification: spec/transactions.md, "What survives"; spec/policies.md, "Building and dropping".
 */

import { type FaultyHost, faultyHost } from '../../src/host/faulty/host.ts';
import type { Host } from '../../src/host/host.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Storage } from '../../src/host/storage.ts';
import { attachDatabase } from '../../src/model/attached.ts';
import type { Targets } from '../../src/model/database.ts';
import { openDatabase } from '../../src/model/open.ts';
import type { AttachedDatabase, Database, Durability, OpenOptions } from '../../src/model/types.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import { withTicks } from '../crash/machine.ts';
import { answer } from './answers.ts';
import { compareRead } from './ask.ts';
import { Divergence, expectSame, foundLater, foundOf } from './divergence.ts';
import { PLACES } from './draw.ts';
import { segments } from './paths.ts';
import { msOf, type Step } from './program.ts';
import { Refusal } from './refusal.ts';
import type { SurfaceRun, Wrap } from './run.ts';

interface Promised {
  readonly kernel: number;
  readonly device: number;
  /** The newest commit that was asked for. */
  readonly issued: number;
}

const targets: Targets = {
  storage: (target) => ({ storage: target as Storage, close: () => {} }),
  pack: () => Promise.reject(new Error('no single files here')),
  scratch: () => {
    throw new Error('no single files here');
  },
};

export class Life {
  readonly #run: SurfaceRun;
  readonly #wrap: Wrap;
  machine: FaultyHost;
  db!: Database;
  thread: AttachedDatabase | undefined;
  durability: Durability;
  #kernel = 0;
  #device = 0;
  #openedAt = 0;
  #crashIn = 0;
  #copy: { machine: FaultyHost; promised: Promised } | undefined;

  constructor(run: SurfaceRun, wrap: Wrap) {
    this.#run = run;
    this.#wrap = wrap;
    this.durability = run.setup.durability;
    const { seed, syncStyle } = run.setup;
    this.machine = faultyHost({ seed, syncStyle, onOperation: this.#onOperation });
  }

  step(step: Extract<Step, { step: 'care' | 'reopen' | 'crash' | 'backup' }>): Promise<void> {
    if (step.step === 'care') return this.#care(step.what);
    if (step.step === 'reopen') return this.#reopen(step);
    return step.step === 'crash' ? this.#crash(step) : this.#backup(step.history);
  }

  // ---- opening and closing

  async open(historyMs?: number): Promise<void> {
    const { setup, reference } = this.#run;
    const options = {
      durability: this.durability,
      segmentBytes: setup.segmentBytes,
      accelerator: setup.accelerator,
      viewIdleMs: Infinity,
      ...(this.#openedAt === 0 && reference.version === 0 ? { pageSize: setup.pageSize } : {}),
      ...(historyMs === undefined ? {} : { historyRetention: historyMs }),
    } as OpenOptions;
    const host: Host = setup.ticks ? withTicks(this.machine) : this.machine;
    const platform = { host, targets, cacheMemory: setup.cacheMemory, release: async () => {} };
    const found = foundOf('open', () => openDatabase(platform, options));
    if (found.error !== undefined) throw new Divergence('open', 'a database', found.error);
    this.db = this.#wrap(found.value);
    this.thread = setup.thread ? attachDatabase(found.value.share(), this.machine, () => {}) : undefined;
    this.#openedAt = found.value.version;
  }

  async close(): Promise<void> {
    await this.#run.past.checkWatchers();
    this.#run.slots.clear();
    this.thread?.close();
    this.#run.coverage?.add(this.db.stats());
    const found = await foundLater('close', () => this.#run.drive(this.db.close()));
    if (found.error !== undefined) throw new Divergence('close', 'no error', found.error);
    this.#run.past.compareWatched();
    this.#run.past.clear(this.#run.reference.version);
    const read = foundOf('read after close', () => this.db.get('x'));
    if (read.error?.kind !== 'closed') throw new Divergence('read after close', 'an error of kind closed', read.error ?? read.value);
  }

  /** Ends a run that failed; never throws. */
  async abandon(): Promise<void> {
    this.#run.slots.clear(true);
    this.machine.killProcess();
  }

  async #reopen({ historyMs, durability }: Extract<Step, { step: 'reopen' }>): Promise<void> {
    const { reference } = this.#run;
    const wrote = reference.version > this.#openedAt;
    const before = this.#run.now();
    await this.close();
    if (durability !== undefined) this.durability = durability;
    this.acknowledged(reference.version, 'device');
    reference.cutBack(reference.version);
    if (historyMs !== undefined) reference.setDatabaseHistory(msOf(historyMs), before);
    await this.open(historyMs === undefined ? undefined : msOf(historyMs));
    expectSame('version after opening again', reference.version, this.db.version);
    // Of hybrid time what the newest commit had, and all of it when there was something to write.
    this.#takeTime(wrote ? before : Math.min(before, this.#run.now()), Math.max(before, this.#run.now()));
    if (historyMs !== undefined) this.#run.reach('opened with another history');
  }

  #takeTime(least: number, most: number): void {
    using view = this.db.snapshot();
    const found = view.time.getTime();
    if (found < least || found > most) throw new Divergence('hybrid time after opening', `${least} to ${most}`, found);
    this.#run.reference.now(found);
  }

  async #care(what: Extract<Step, { step: 'care' }>['what']): Promise<void> {
    this.#run.now();
    if (what === 'verify') {
      const report = await this.#run.drive(this.db.verify());
      if (!report.ok) throw new Divergence('verify', 'no damage', report.damages);
    } else if (what === 'idle') {
      await this.machine.runUntilIdle();
      await this.#run.past.checkWatchers();
    } else {
      const found = await foundLater<unknown>(what, () => this.#run.drive(this.db[what]() as Promise<unknown>));
      if (found.error !== undefined) throw new Divergence(what, 'no error', found.error);
      if (what === 'sync') expectSame('durableVersion after sync', this.#run.reference.version, this.db.durableVersion);
    }
  }

  // ---- promises

  /** A write was heard to have reached a level. */
  acknowledged(version: number, level: 'kernel' | 'device'): void {
    this.#kernel = Math.max(this.#kernel, version);
    if (level === 'device') this.#device = Math.max(this.#device, version);
  }

  durable(version: number): void {
    if (version < this.#device) throw new Divergence('durable version', `at least ${this.#device}`, version);
    this.#device = Math.max(this.#device, version);
  }

  // ---- crashes

  readonly #onOperation = (): void => {
    if (this.#crashIn === 0 || --this.#crashIn > 0) return;
    this.#takeCopy();
    this.#run.reach('a crash inside a storage operation');
  };

  #takeCopy(): void {
    const device = Math.max(this.#device, this.db.durableVersion);
    const promised = { kernel: Math.max(this.#kernel, device), device, issued: Math.max(this.#run.reference.version, this.db.version) };
    this.#copy = { machine: this.machine.fork(), promised };
  }

  async #crash({ how, operation, during }: Extract<Step, { step: 'crash' }>): Promise<void> {
    this.#crashIn = operation;
    for (const step of during) {
      const inside = step.step;
      const hadCopy = this.#copy !== undefined;
      await this.#run.step(step);
      if (!hadCopy && this.#copy !== undefined) this.#run.reach(`a crash inside ${inside}`);
    }
    this.#crashIn = 0;
    if (this.#copy === undefined) this.#takeCopy();
    const { machine, promised } = this.#copy!;
    this.#copy = undefined;
    this.#run.coverage?.add(this.db.stats());
    this.#run.slots.clear(true);
    const boot = { onOperation: this.#onOperation };
    this.machine.killProcess();
    this.machine = how === 'power' ? machine.reboot(boot) : machine.killProcess(boot);
    const found = this.#versionLeft();
    await this.open(msOf(this.#run.reference.databaseMs === Infinity ? null : this.#run.reference.databaseMs));
    await this.#recovered(how, found, promised);
  }

  /** What a copy of the machine recovers: an opening may go on with a building at once. */
  #versionLeft(): number {
    const engine = openEngineSync({ host: this.machine.fork().killProcess(), cacheMemory: this.#run.setup.cacheMemory });
    return engine.version;
  }

  async #recovered(how: 'kill' | 'power', found: number, { kernel, device, issued }: Promised): Promise<void> {
    const { reference } = this.#run;
    const least = how === 'kill' ? kernel : device;
    if (found < least || found > issued) throw new Divergence(`version after a ${how}`, `${least} to ${issued}`, found);
    if (found < reference.version) this.#run.reach(`commits lost by a ${how}`);
    reference.cutBack(found);
    this.#run.past.clear(found);
    this.#kernel = found;
    this.#device = this.db.durableVersion;
    this.#takeTime(this.#run.now(), Number.MAX_SAFE_INTEGER);
    if (reference.catalog.unfinished() !== undefined) await this.#resume();
    expectSame('version after a crash', reference.version, this.db.version);
    this.#openedAt = reference.version;
    await this.#run.audit();
    for (const place of PLACES) await this.#run.step({ step: 'policy', of: 'now', path: place });
  }

  /** What was being built or dropped is gone on with. */
  async #resume(): Promise<void> {
    const { reference } = this.#run;
    this.#run.reach('a building gone on with');
    await this.machine.runUntilIdle();
    while (reference.catalog.unfinished() !== undefined) {
      try {
        reference.upkeep(undefined, {}, this.#run.now());
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.#run.reach('a building refused after a crash');
      }
    }
  }

  // ---- copies

  async #backup(history: boolean): Promise<void> {
    const { reference } = this.#run;
    const storage = memoryStorage();
    const found = await foundLater('backup', () => this.#run.drive(this.db.backup(storage, { history })));
    if (found.error !== undefined) throw new Divergence('backup', 'no error', found.error);
    const { clock, timers, random, hashing, texts } = this.machine;
    const host = memoryHost({ storage, clock, timers, random, hashing, texts });
    const copy = openDatabase(
      { host, targets, cacheMemory: 2 ** 20, release: async () => {} },
      { durability: 'async', viewIdleMs: Infinity },
    );
    expectSame('version of a copy', reference.version, copy.version);
    using view = copy.snapshot();
    const ref = reference.view({ version: reference.version, timeMs: view.time.getTime() });
    for (const read of [{ ask: 'scan' }, { ask: 'count' }, { ask: 'getTree', path: '' }] as const)
      await compareRead(`${read.ask} of a copy`, view, [], read, (one) => answer(ref, [], one), undefined, this.#run.drive);
    for (const place of PLACES) {
      const policy = JSON.stringify(copy.subtree(place).policy);
      if (policy !== JSON.stringify(this.db.subtree(place).policy)) throw new Divergence('policy of a copy', place, policy);
    }
    const past = Math.floor(reference.version / 2);
    using then = copy.asOf(past);
    const old = reference.view({ version: past, timeMs: reference.timeOf(past) });
    const kept = history ? { kept: reference.kept, of: old } : { kept: reference.kept, of: { ...old, mayRefuse: () => true } };
    await compareRead(
      'scan of the past of a copy',
      then,
      segments(''),
      { ask: 'scan' },
      (one) => answer(old, [], one),
      kept,
      this.#run.drive,
    );
    const report = await this.#run.drive(copy.verify());
    if (!report.ok) throw new Divergence('verify of a copy', 'no damage', report.damages);
    await this.#run.drive(copy.close());
    this.#run.reach(history ? 'a copy' : 'a copy without history');
  }
}
