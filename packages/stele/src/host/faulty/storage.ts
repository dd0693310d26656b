/**
 * Storage on a simulated disk that loses power, tears, reorders, fills up, fails and hangs, all from one seed.
 *
 * What programs see (the kernel's cache) and what is on the device are kept apart. `reboot()` shows what a power
 * cut leaves, `killProcess()` what a killed process leaves, `fork()` copies the machine cheaply so that one run can
 * be cut at every operation.
 *
 * Specification: spec/host.md, "Faulty host".
 */

import { crc32 } from '../../base/crc32.ts';
import { invariant } from '../../base/errors.ts';
import { notFound } from '../failures.ts';
import { checkFileName, isFileName } from '../names.ts';
import type { ExclusionLock, OpenFileOptions, Storage, StorageFile, SyncStyle } from '../storage.ts';
import { Disk, type Misplacement } from './disk.ts';
import type { FaultKind, FaultOrder } from './faults.ts';
import { FaultyFile } from './file.ts';
import type { Inode } from './inode.ts';
import { Prng } from './prng.ts';
import { Process } from './process.ts';
import { type FaultyOptions, inherited } from './settings.ts';
import type { Operation, OperationKind } from './trace.ts';

/** A machine with an empty disk. */
export function faultyStorage(options: FaultyOptions = {}): FaultyStorage {
  const disk = new Disk();
  return new FaultyStorage(disk, options);
}

/** See {@link faultyStorage}. */
export class FaultyStorage implements Storage {
  readonly kind = 'faulty';
  readonly syncStyle: SyncStyle;
  /** Processes the disk has seen, this one included: tells one boot from the next, where the seed may be the same. */
  readonly bootNumber: number;
  readonly #process: Process;
  readonly #disk: Disk;

  constructor(disk: Disk, options: FaultyOptions) {
    const { onOperation, onStop } = options;
    this.syncStyle = options.syncStyle ?? 'barrier';
    this.#disk = disk;
    this.bootNumber = ++disk.bootCount;
    this.#process = new Process(disk, {
      seed: options.seed ?? 1,
      syncStyle: this.syncStyle,
      powerCutAt: options.powerCutAt ?? Number.POSITIVE_INFINITY,
      killAt: options.killAt ?? Number.POSITIVE_INFINITY,
      sectorBytes: options.sectorBytes ?? 512,
      capacityBytes: options.capacityBytes ?? Number.POSITIVE_INFINITY,
      shortWrites: options.shortWrites ?? 0,
      misplacedWrites: options.misplacedWrites ?? 0,
      failedSync: options.failedSync ?? 'seeded',
      record: options.record ?? false,
      later: options.later ?? ((work) => void Promise.resolve().then(work)),
      crc32: options.crc32 ?? crc32,
      ...(onOperation === undefined ? {} : { onOperation }),
      ...(onStop === undefined ? {} : { onStop }),
    });
  }

  // ---- the seam

  list(): string[] {
    this.#process.checkAlive();
    return [...this.#disk.names.keys()].sort();
  }

  exists(name: string): boolean {
    this.#process.checkAlive();
    return isFileName(name) && this.#disk.names.has(name);
  }

  open(name: string, options: OpenFileOptions = {}): StorageFile {
    this.#process.checkAlive();
    checkFileName(name);
    let inode = this.#disk.names.get(name);
    if (inode !== undefined) this.#process.openExisting(name);
    else if (options.create === true) inode = this.#process.create(name);
    else throw notFound(name);
    return new FaultyFile(this.#process, name, inode, this.#disk.nextWriter(), options.readOnly === true);
  }

  remove(name: string): void {
    this.#process.checkAlive();
    checkFileName(name);
    this.#process.remove(name);
  }

  syncDirectory(): void {
    this.#process.syncDirectory();
  }

  lock(options: { readonly shared?: boolean } = {}): ExclusionLock {
    this.#process.note('lock', '');
    return this.#disk.holders.take('the faulty storage', options.shared === true);
  }

  /** Frees the lock; unlike a crash it changes nothing else. */
  close(): void {
    if (this.#process.end === undefined) this.#disk.holders.clear();
  }

  // ---- what happened

  /** The seed of this process. */
  get seed(): number {
    return this.#process.settings.seed;
  }

  /** Changing operations so far; the next has this number + 1. */
  get operations(): number {
    return this.#process.operations;
  }

  /** Operations by kind. */
  get counts(): Readonly<Record<OperationKind, number>> {
    return this.#process.trace.counts;
  }

  /** Running hash over all operations, contents included: equal for equal runs. */
  traceHash(): string {
    return this.#process.trace.hash();
  }

  /** All operations, when `record` is on. */
  get trace(): readonly Operation[] | undefined {
    return this.#process.trace.list;
  }

  /** True once the power was cut. */
  get powerWasLost(): boolean {
    return this.#process.end?.reason === 'power';
  }

  /** True once power or process ended: every call throws PowerCut. */
  get hasEnded(): boolean {
    return this.#process.end !== undefined;
  }

  /** Writes the device silently put wrong, when `misplacedWrites` is on. */
  get misplaced(): readonly Misplacement[] {
    return this.#disk.misplaced;
  }

  /** Space taken, in bytes. */
  get usedBytes(): number {
    return this.#disk.usedBytes();
  }

  /** Contents without tracing: as programs see them, or as they are on the device. */
  peek(name: string, level: 'cache' | 'device' = 'cache'): Uint8Array {
    const blocks = this.#inode(name)[level];
    const bytes = new Uint8Array(blocks.size);
    blocks.read(bytes, 0, bytes.length, 0);
    return bytes;
  }

  // ---- what shall happen

  /** Orders failures; see {@link FaultOrder}. */
  fail(kind: FaultKind, order: FaultOrder = {}): void {
    this.#process.faults.add(kind, order);
  }

  /** Forgets all orders. */
  clearFaults(): void {
    this.#process.faults.clear();
  }

  /** Asynchronous syncs no longer settle, until {@link releaseSyncs}. Blocking ones still do. */
  hangSyncs(): void {
    this.#process.isHanging = true;
  }

  releaseSyncs(): void {
    this.#process.releaseSyncs();
  }

  /** Space for contents from now on. */
  setCapacity(bytes: number): void {
    this.#process.capacityBytes = bytes;
  }

  /** Rots one bit, in the kernel's cache and on the device. @param bit 0 (lowest) to 7 */
  flipBit(name: string, offset: number, bit: number): void {
    const inode = this.#inode(name);
    invariant(offset >= 0 && offset < inode.cache.size, `offset ${offset} outside ${name} of ${inode.cache.size} bytes`);
    inode.cache.flipBit(offset, bit);
    if (offset < inode.device.size) inode.device.flipBit(offset, bit);
  }

  // ---- what comes after

  /** Cuts the power, if it was not, and boots again. May be called repeatedly with different seeds. */
  reboot(options: FaultyOptions = {}): FaultyStorage {
    this.#process.stop('power');
    const seed = options.seed ?? this.#process.prng.u32();
    const disk = this.#disk.afterPowerCut(new Prng(seed), this.#process.settings.sectorBytes);
    return this.#successor(disk, seed, options);
  }

  /** Kills the process, if it was not; the next one finds everything written, and the lock free. */
  killProcess(options: FaultyOptions = {}): FaultyStorage {
    this.#process.stop('killed');
    this.#disk.holders.clear();
    return this.#successor(this.#disk, options.seed ?? this.#process.prng.u32(), options);
  }

  /** A copy of the machine with no process on it; this one goes on. `fork().reboot({ seed })` is a cut at this very moment. */
  fork(options: FaultyOptions = {}): FaultyStorage {
    return this.#successor(this.#disk.fork(), options.seed ?? this.#process.settings.seed, options);
  }

  #successor(disk: Disk, seed: number, options: FaultyOptions): FaultyStorage {
    const { settings, capacityBytes } = this.#process;
    return new FaultyStorage(disk, inherited({ ...settings, capacityBytes }, seed, options));
  }

  #inode(name: string): Inode {
    const inode = this.#disk.names.get(name);
    if (inode === undefined) throw notFound(name);
    return inode;
  }
}
