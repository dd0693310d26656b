/**
 * One process on the simulated machine: counts and traces its operations, fails them as ordered, and ends.
 *
 * Invariants
 * - Every changing operation has a number; when the number of the cut comes, the operation is partly done by seed,
 *   the process ends, and every later call throws PowerCut.
 * - An operation that fails by order may be partly done too.
 * - A sync covers the changes made before its call, under `writeThrough` only those of its own handle.
 * - Asynchronous syncs settle in order.
 *
 * Specification: spec/host.md, "Faulty host".
 */

import { diskFull } from '../failures.ts';
import { type Disk, fittingBytes } from './disk.ts';
import { type FaultKind, Faults } from './faults.ts';
import type { FaultyFile, FileOwner } from './file.ts';
import { type Change, Inode } from './inode.ts';
import { PowerCut } from './power-cut.ts';
import { Prng } from './prng.ts';
import type { FaultySettings } from './settings.ts';
import { type OperationKind, Trace } from './trace.ts';

interface Task {
  run(): void;
  reject(end: PowerCut): void;
}

/** See the file comment. */
export class Process implements FileOwner {
  readonly disk: Disk;
  readonly trace: Trace;
  readonly faults = new Faults();
  readonly prng: Prng;
  readonly settings: FaultySettings;
  capacityBytes: number;
  isHanging = false;
  operations = 0;
  end: PowerCut | undefined;
  readonly #tasks = new Set<Task>();
  #syncs: Task[] = [];
  #held = 0;

  constructor(disk: Disk, settings: FaultySettings) {
    this.disk = disk;
    this.settings = settings;
    this.capacityBytes = settings.capacityBytes;
    this.prng = new Prng(settings.seed);
    this.trace = new Trace(settings.record);
  }

  get lastSequence(): number {
    return this.disk.lastSequence;
  }

  checkAlive(): void {
    if (this.end !== undefined) throw this.end;
  }

  /** The end, for all calls in flight and all to come. */
  stop(reason: 'power' | 'killed'): PowerCut {
    if (this.end !== undefined) return this.end;
    const end = new PowerCut(reason, this.operations);
    this.end = end;
    const tasks = [...this.#tasks];
    this.#tasks.clear();
    this.#syncs = [];
    for (const task of tasks) task.reject(end);
    this.settings.onStop?.();
    return end;
  }

  create(name: string): Inode {
    const isCut = this.#begin('create', name, 0, 0, 0);
    this.#failAsOrdered('open', name);
    const inode = new Inode();
    if (!isCut || this.prng.chance(0.5)) this.disk.setName(name, inode);
    if (isCut) throw this.end;
    return inode;
  }

  remove(name: string): void {
    const isCut = this.#begin('remove', name, 0, 0, 0);
    this.#failAsOrdered('remove', name);
    if (this.disk.names.has(name) && (!isCut || this.prng.chance(0.5))) this.disk.setName(name, undefined);
    if (isCut) throw this.end;
  }

  syncDirectory(): void {
    if (this.#begin('syncDirectory', '', 0, 0, 0)) throw this.end;
    this.#failAsOrdered('syncDirectory', '');
    this.disk.syncNames();
  }

  /** An operation that changes nothing: traced, without a number. */
  note(kind: OperationKind, name: string, position = 0, length = 0): void {
    this.checkAlive();
    this.trace.add(this.operations, kind, name, position, length, 0);
  }

  noteSyncCall(handle: FaultyFile): void {
    this.note('syncCall', handle.name);
  }

  openExisting(name: string): void {
    this.note('open', name);
    this.#failAsOrdered('open', name);
  }

  read(handle: FaultyFile, target: Uint8Array, start: number, length: number, position: number): number {
    this.note('read', handle.name, position, length);
    this.#failAsOrdered('read', handle.name);
    return handle.inode.cache.read(target, start, length, position);
  }

  write(handle: FaultyFile, source: Uint8Array, start: number, length: number, position: number): number {
    const { inode, name, writer } = handle;
    const isCut = this.#begin('write', name, position, length, this.settings.crc32(source, start, start + length, 0));
    const failure = isCut ? this.end : this.faults.next('write', name);
    if (failure !== undefined) {
      this.disk.write(inode, writer, source, start, this.prng.below(length + 1), position);
      throw failure;
    }
    let count = length;
    if (this.capacityBytes !== Number.POSITIVE_INFINITY) {
      count = fittingBytes(inode.cache, position, length, Math.max(0, this.capacityBytes - this.disk.usedBytes()));
      if (count === 0 && length > 0) throw diskFull(name);
    }
    if (count > 1 && this.prng.chance(this.settings.shortWrites)) count = 1 + this.prng.below(count - 1);
    this.disk.write(inode, writer, source, start, count, position);
    return count;
  }

  truncate(handle: FaultyFile, size: number): void {
    const isCut = this.#begin('truncate', handle.name, size, 0, 0);
    if (!isCut) this.#failAsOrdered('truncate', handle.name);
    if (!isCut || this.prng.chance(0.5)) this.disk.truncate(handle.inode, handle.writer, size);
    if (isCut) throw this.end;
  }

  sync(handle: FaultyFile, through: number): void {
    const { inode, name } = handle;
    if (this.settings.syncStyle === 'barrier') {
      const covered = inode.pending.filter((change) => change.sequence <= through);
      if (this.#begin('sync', name, 0, covered.length, 0)) throw this.end;
      const failure = this.faults.next('sync', name);
      if (failure !== undefined) {
        this.#drop(handle, covered);
        throw failure;
      }
      this.#settle(handle, covered);
      return;
    }
    this.#claimOverlaps(handle, through);
    const covered = inode.pending.filter((change) => change.sequence <= through && change.writer === handle.writer);
    for (let i = 0; i < covered.length; i++) {
      const change = covered[i]!;
      if (this.#begin('writeThrough', name, change.position, change.bytes?.length ?? 0, 0)) throw this.end;
      const failure = this.faults.next('sync', name);
      if (failure !== undefined) {
        this.#drop(handle, covered.slice(i));
        throw failure;
      }
      this.#settle(handle, [change]);
    }
  }

  later<T>(kind: 'sync' | 'read', work: () => T): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      const task: Task = {
        run: () => {
          if (!this.#tasks.delete(task)) return;
          try {
            resolve(work());
          } catch (error) {
            reject(error);
          }
        },
        reject,
      };
      this.#tasks.add(task);
      if (kind === 'sync') {
        this.#syncs.push(task);
        this.settings.later(() => this.#completeSync());
      } else {
        this.settings.later(() => task.run());
      }
    });
    // A cut rejects promises that a dead program no longer awaits; that is no unhandled rejection.
    promise.catch(() => {});
    return promise;
  }

  /** Completions held back by hanging come now, in order. */
  releaseSyncs(): void {
    this.isHanging = false;
    for (; this.#held > 0; this.#held--) this.settings.later(() => this.#completeSync());
  }

  #completeSync(): void {
    if (this.isHanging) this.#held++;
    else this.#syncs.shift()?.run();
  }

  /** Counts and traces a changing operation. True: the process has ended with it, and it may be partly done. */
  #begin(kind: OperationKind, name: string, position: number, length: number, checksum: number): boolean {
    this.checkAlive();
    this.operations++;
    this.settings.onOperation?.({ number: this.operations, kind, name, position, length });
    this.trace.add(this.operations, kind, name, position, length, checksum);
    if (this.operations === this.settings.powerCutAt) this.stop('power');
    else if (this.operations === this.settings.killAt) this.stop('killed');
    return this.end !== undefined;
  }

  #failAsOrdered(kind: FaultKind, name: string): void {
    if (this.end !== undefined) return;
    const failure = this.faults.next(kind, name);
    if (failure !== undefined) throw failure;
  }

  /** A write-through sync writes what the kernel now holds in its ranges, whoever wrote it. */
  #claimOverlaps(handle: FaultyFile, through: number): void {
    const { inode, writer } = handle;
    if (inode.pending.every((change) => change.writer === writer)) return;
    for (const change of inode.pending.filter((own) => own.writer === writer && own.sequence <= through)) {
      if (change.bytes !== undefined) inode.claim(writer, change.position, change.position + change.bytes.length);
    }
  }

  #settle(handle: FaultyFile, covered: readonly Change[]): void {
    for (const change of covered) this.disk.settle(handle.name, handle.inode, change, this.prng, this.settings.misplacedWrites);
    removeFrom(handle.inode, covered);
  }

  /** After a failed sync the kernel calls the pages clean: some reached the device, the others never will. */
  #drop(handle: FaultyFile, covered: readonly Change[]): void {
    const { failedSync } = this.settings;
    for (const change of covered) {
      const isKept = failedSync === 'seeded' ? this.prng.chance(0.5) : failedSync === 'kept';
      if (isKept) this.disk.settle(handle.name, handle.inode, change, this.prng, this.settings.misplacedWrites);
    }
    removeFrom(handle.inode, covered);
  }
}

function removeFrom(inode: Inode, covered: readonly Change[]): void {
  if (covered.length === inode.pending.length) {
    inode.pending = [];
    return;
  }
  const gone = new Set(covered);
  inode.pending = inode.pending.filter((change) => !gone.has(change));
}
