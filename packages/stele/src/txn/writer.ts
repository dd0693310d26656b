/**
 * The single writer: one commit from a request to the tree.
 *
 * The order is the promise (ARCHITECTURE.md, "The write path"): everything that can refuse comes first; then the record
 * goes to the log buffer, then to the tree, and only then *applied* moves. The descent precedes the encoding, because the
 * record names the version it supersedes.
 *
 * Invariants
 * - A refused commit changed nothing: not the tree, not a number; at most abandoned bytes in the log that mean nothing.
 * - The tree after applying a record equals the tree after replaying it (applier.ts does both).
 * - At most one effect per key, in key order; deleting what is not there is no effect; no effect, no commit.
 *
 * Specification: spec/transactions.md, "Commits".
 */

import { SteleError } from '../base/errors.ts';
import { PATH_STAGE, Paths, UNKNOWN_PATH } from '../tree/paths.ts';
import type { Applier } from './applier.ts';
import type { Core } from './core.ts';
import { Encoder } from './encoder.ts';
import { checkCommitOptions, checkKey, checkValue, described, expiryOf } from './options.ts';
import { Plan } from './plan.ts';
import type { Room } from './room.ts';
import { Superseded } from './superseded.ts';
import type { CommitOptions, WriteOptions } from './types.ts';
import type { WriteEffect } from './write-set.ts';

/** What was committed; `version` 0 stands for "nothing was". The writer's one object: read it before the next commit. */
export interface Applied {
  version: number;
  timeMs: number;
  checksum: number;
  changed: number;
}

/** A commit whose record would be larger is logged in parts of about this size. */
export const PART_BYTES = 1024 * 1024;
/** A commit of so many effects loads: new leaves are left to the background to be indexed. */
const LOADING_FROM = 256;

export class Writer {
  readonly #core: Core;
  readonly #room: Room;
  readonly #applier: Applier;
  readonly #encoder: Encoder;
  readonly #old = new Superseded();
  readonly #plan = new Plan();
  #paths: Paths | undefined;
  /** The pager's evictions when the batch began: paths are good while there are no more. */
  #evictions = 0;
  readonly #result: Applied = { version: 0, timeMs: 0, checksum: 0, changed: 0 };

  constructor(core: Core, room: Room, applier: Applier) {
    this.#core = core;
    this.#room = room;
    this.#applier = applier;
    this.#encoder = new Encoder(core, applier);
  }

  /** One put of `value[0, valueBytes)`, or delete when `value` is undefined, at `key[0, keyBytes)`. Allocates nothing but the receipt. */
  one(key: Uint8Array, keyBytes: number, value: Uint8Array | undefined, valueBytes: number, options: WriteOptions | undefined): Applied {
    const core = this.#core;
    core.assertWritable();
    checkKey(key, keyBytes);
    if (value !== undefined) checkValue(value, valueBytes);
    const timeMs = core.nowMs();
    let expiresAt = 0;
    if (options !== undefined) {
      checkCommitOptions(options);
      if (value !== undefined) expiresAt = expiryOf(options, timeMs);
    }
    this.#room.forWrites(1, valueBytes + keyBytes);

    const old = this.#old;
    // What exists can mostly be overwritten where it is, without a path to it.
    let location = core.accelerator === undefined ? -1 : this.#applier.find(key, keyBytes);
    const isFound = location >= 0;
    if (!isFound) location = this.#applier.seek(key, keyBytes);
    const { evictions } = core.pages.frames.counters;
    old.inspect(core, location, timeMs);
    if (options?.ifVersion !== undefined) this.checkVersion(key.subarray(0, keyBytes), options.ifVersion, old.isLive ? old.commit : 0);
    if (value === undefined && !old.isLive) return this.#done(0, timeMs, 0, 0);
    const isKept = old.isNeeded(core, key, keyBytes);
    const carried = this.#encoder.carriedOf(old, isKept, key, keyBytes);

    const { log } = core;
    const commit = core.applied + 1;
    this.#reserve(this.#encoder.recordBytesBound(options) + this.#encoder.bytesBound(keyBytes, valueBytes, old, carried));
    log.beginCommit(commit, timeMs, 1);
    try {
      this.#encoder.setMeta(options);
      this.#encoder.effect(key, keyBytes, value, valueBytes, expiresAt, old, isKept, carried, commit);
      log.endCommit();
    } catch (error) {
      log.abortCommit();
      throw error;
    }
    core.logged(commit, timeMs, options?.assertedTimeMs ?? 0);
    try {
      const isHeld = isFound ? evictions === core.pages.frames.counters.evictions : core.tree.isSoughtHeld();
      if (!isHeld) this.#applier.seek(key, keyBytes);
      this.#applier.write(isFound && isHeld ? location : -1, key, keyBytes, value, 0, valueBytes, expiresAt, commit, 0, old);
    } catch (error) {
      throw core.group.fail(error);
    }
    core.appliedThrough(commit, timeMs, log.headSegment, log.headOffset, log.lastChecksum | 0);
    if (value === undefined) core.counters.deletes++;
    else core.counters.puts++;
    return this.#done(commit, timeMs, log.lastChecksum | 0, 1);
  }

  /** @throws {SteleError} `conflict` VERSION_MISMATCH; `invalid` VERSION_INVALID */
  checkVersion(key: Uint8Array, expected: number, found: number): void {
    if (!Number.isSafeInteger(expected) || expected < 0)
      throw new SteleError('invalid', 'VERSION_INVALID', `ifVersion is ${described(expected)}, expected a commit number from 0`);
    if (found === expected) return;
    this.#core.counters.conflicts++;
    throw new SteleError('conflict', 'VERSION_MISMATCH', `the key has version ${found}, expected ${expected}`, {
      detail: { key: key.slice(), found, expected },
    });
  }

  /** Commits the effects, sorted by key, each key once: all or none. */
  effects(effects: readonly WriteEffect[], options: CommitOptions | undefined, timeMs: number): Applied {
    const core = this.#core;
    let bytes = 0;
    for (const effect of effects) bytes += effect.key.length + (effect.value?.length ?? 0) + 64;
    this.#room.forWrites(effects.length, bytes);
    const plan = this.#plan;
    try {
      this.#fill(plan, effects, timeMs);
      if (plan.count === 0) return this.#done(0, timeMs, 0, 0);
      const commit = core.applied + 1;
      this.#encode(plan, effects, options, commit, timeMs);
      const { log } = core;
      const checksum = log.lastChecksum;
      core.logged(commit, timeMs, options?.assertedTimeMs ?? 0);
      const endSegment = log.headSegment;
      const endOffset = log.headOffset;
      this.#applyPlan(plan, effects, commit, timeMs);
      core.appliedThrough(commit, timeMs, endSegment, endOffset, checksum);
      return this.#done(commit, timeMs, checksum, plan.count);
    } finally {
      plan.end();
    }
  }

  #fill(plan: Plan, effects: readonly WriteEffect[], timeMs: number): void {
    const core = this.#core;
    const old = this.#old;
    plan.begin(effects.length);
    this.#beginPaths(effects.length);
    for (let index = 0; index < effects.length; index++) {
      const effect = effects[index]!;
      const { key, value } = effect;
      if (index % PATH_STAGE === 0) this.#paths!.stage(effects, index);
      old.inspect(core, this.#seekStaged(index, key), timeMs);
      if (value === undefined && !old.isLive) continue;
      const isKept = old.isNeeded(core, key, key.length);
      const carried = this.#encoder.carriedOf(old, isKept, key, key.length);
      const expiresAt = value === undefined ? 0 : effect.ttlMs === undefined ? effect.expiresAt : expiryOf({ ttlMs: effect.ttlMs }, timeMs);
      const bytes = this.#encoder.bytesBound(key.length, value?.length ?? 0, old, carried);
      const needsOld = isKept && (carried !== undefined || old.mayGetTable);
      plan.add(index, bytes, expiresAt, isKept, needsOld, isKept ? old.commit : 0, isKept ? old.ordinal : 0, carried);
    }
  }

  #beginPaths(count: number): void {
    const { tree, pages } = this.#core;
    if (this.#paths?.tree !== tree) this.#paths = new Paths(tree);
    this.#paths.begin(count);
    this.#evictions = pages.frames.counters.evictions;
  }

  #seekStaged(index: number, key: Uint8Array): number {
    if (this.#evictions === this.#core.pages.frames.counters.evictions) {
      const location = this.#paths!.seekStaged(index, index - (index % PATH_STAGE), key);
      if (location !== UNKNOWN_PATH) return location;
    }
    return this.#applier.seek(key, key.length);
  }

  #seekAgain(index: number, key: Uint8Array): number {
    if (this.#evictions === this.#core.pages.frames.counters.evictions) {
      const location = this.#paths!.seekAgain(index, key);
      if (location !== UNKNOWN_PATH) return location;
    }
    return this.#applier.seek(key, key.length);
  }

  #encode(plan: Plan, effects: readonly WriteEffect[], options: CommitOptions | undefined, commit: number, timeMs: number): void {
    const { log } = this.#core;
    const overhead = this.#encoder.recordBytesBound(options);
    const isParted = overhead + plan.bytesTotal > PART_BYTES && plan.count > 1;
    if (isParted) this.#core.counters.multiPart++;
    let isBegun = false;
    try {
      for (let at = 0; at < plan.count; ) {
        const end = isParted ? endOfPart(plan, at) : plan.count;
        let bytes = overhead;
        for (let row = at; row < end; row++) bytes += plan.bytes[row]!;
        this.#reserve(bytes);
        if (isParted) log.beginPart(commit, timeMs);
        else log.beginCommit(commit, timeMs, plan.count);
        if (!isBegun) this.#encoder.setMeta(options);
        isBegun = true;
        for (; at < end; at++) this.#encodeOne(plan, at, effects[plan.index[at]!]!, commit, timeMs);
        if (isParted) log.endPart(at === plan.count);
        else log.endCommit();
      }
    } catch (error) {
      if (isBegun) log.abortCommit();
      throw error;
    }
  }

  #encodeOne(plan: Plan, row: number, { key, value }: WriteEffect, commit: number, timeMs: number): void {
    if (!plan.needsOld(row)) {
      this.#encoder.plain(key, value, plan.expiresAt[row]!, plan.addressCommit[row]!, plan.addressOrdinal[row]!);
      return;
    }
    const old = this.#old;
    old.inspect(this.#core, this.#applier.seek(key, key.length), timeMs);
    this.#encoder.effect(
      key,
      key.length,
      value,
      value?.length ?? 0,
      plan.expiresAt[row]!,
      old,
      plan.isKept(row),
      plan.carried.get(row),
      commit,
    );
    plan.setAddress(row, old.addressCommit, old.addressOrdinal, old.addressCarried);
  }

  /** Past the point of no return: what goes wrong now is fatal, never a refusal. */
  #applyPlan(plan: Plan, effects: readonly WriteEffect[], commit: number, timeMs: number): void {
    const core = this.#core;
    const old = this.#old;
    core.isApplying = true;
    core.tree.isLoading = plan.count >= LOADING_FROM;
    try {
      for (let row = 0; row < plan.count; row++) {
        const index = plan.index[row]!;
        const { key, value } = effects[index]!;
        this.#room.whileApplying();
        old.inspect(core, this.#seekAgain(index, key), timeMs);
        if (plan.isKept(row)) old.keep(core, key.length, plan.addressCommit[row]!, plan.addressOrdinal[row]!, plan.isCarried(row));
        this.#applier.write(-1, key, key.length, value, 0, value?.length ?? 0, plan.expiresAt[row]!, commit, row, old);
        if (value === undefined) core.counters.deletes++;
        else core.counters.puts++;
      }
    } catch (error) {
      throw core.group.fail(error);
    } finally {
      core.isApplying = false;
      core.tree.isLoading = false;
    }
  }

  #done(version: number, timeMs: number, checksum: number, changed: number): Applied {
    const result = this.#result;
    result.version = version;
    result.timeMs = timeMs;
    result.checksum = checksum >>> 0;
    result.changed = changed;
    return result;
  }

  #reserve(bytes: number): void {
    try {
      this.#core.log.reserve(bytes);
    } catch (error) {
      this.#core.counters.spaceRefused++;
      throw error;
    }
  }
}

/** Row behind the last one of the part that begins at `start`. */
function endOfPart(plan: Plan, start: number): number {
  let bytes = 0;
  let end = start;
  while (end < plan.count && (end === start || bytes + plan.bytes[end]! <= PART_BYTES)) bytes += plan.bytes[end++]!;
  return end;
}
