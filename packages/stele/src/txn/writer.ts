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
import type { Applier } from './applier.ts';
import type { Core } from './core.ts';
import { type CarriedVersion, Encoder } from './encoder.ts';
import { checkCommitOptions, checkKey, checkValue, expiryOf } from './options.ts';
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

interface Planned {
  readonly effect: WriteEffect;
  readonly expiresAt: number;
  readonly isKept: boolean;
  readonly carried: CarriedVersion | undefined;
  readonly bytes: number;
  /** The record needs more of the superseded entry than its address. */
  readonly needsOld: boolean;
  addressCommit: number;
  addressOrdinal: number;
  addressCarried: boolean;
}

export class Writer {
  readonly #core: Core;
  readonly #room: Room;
  readonly #applier: Applier;
  readonly #encoder: Encoder;
  readonly #old = new Superseded();
  readonly #result: Applied = { version: 0, timeMs: 0, checksum: 0, changed: 0 };

  constructor(core: Core, room: Room, applier: Applier) {
    this.#core = core;
    this.#room = room;
    this.#applier = applier;
    this.#encoder = new Encoder(core, applier);
  }

  /** One put, or delete when `value` is undefined. Allocates nothing but the receipt. */
  one(key: Uint8Array, value: Uint8Array | undefined, options: WriteOptions | undefined): Applied {
    const core = this.#core;
    core.assertWritable();
    checkKey(key);
    if (value !== undefined) checkValue(value);
    const timeMs = core.nowMs();
    let expiresAt = 0;
    if (options !== undefined) {
      checkCommitOptions(options);
      if (value !== undefined) expiresAt = expiryOf(options, timeMs);
    }
    const keyBytes = key.length;
    const valueBytes = value === undefined ? 0 : value.length;
    this.#room.forWrites(1, valueBytes + keyBytes);

    const old = this.#old;
    // What exists can mostly be overwritten where it is, without a path to it.
    let location = core.accelerator === undefined ? -1 : this.#applier.find(key, keyBytes);
    const isFound = location >= 0;
    if (!isFound) location = this.#applier.seek(key, keyBytes);
    const { evictions } = core.pages.frames.counters;
    old.inspect(core, location, timeMs);
    if (options?.ifVersion !== undefined) this.checkVersion(key, options.ifVersion, old.isLive ? old.commit : 0);
    if (value === undefined && !old.isLive) return this.#done(0, timeMs, 0, 0);
    const isKept = old.isNeeded(core, key, keyBytes);
    const carried = this.#encoder.carriedOf(old, isKept, key, keyBytes);

    const { log } = core;
    const commit = core.applied + 1;
    this.#reserve(this.#encoder.recordBytesBound(options) + this.#encoder.bytesBound(keyBytes, valueBytes, old, carried));
    log.beginCommit(commit, timeMs, 1);
    try {
      this.#encoder.setMeta(options);
      this.#encoder.effect(key, keyBytes, value, expiresAt, old, isKept, carried, commit);
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
      throw new SteleError('invalid', 'VERSION_INVALID', `ifVersion is ${expected}, expected a commit number from 0`);
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
    const plan = this.#plan(effects, timeMs);
    if (plan.length === 0) return this.#done(0, timeMs, 0, 0);
    const commit = core.applied + 1;
    this.#encode(plan, options, commit, timeMs);
    const checksum = core.log.lastChecksum;
    core.logged(commit, timeMs, options?.assertedTimeMs ?? 0);
    const { log } = core;
    const endSegment = log.headSegment;
    const endOffset = log.headOffset;
    this.#applyPlan(plan, commit, timeMs);
    core.appliedThrough(commit, timeMs, endSegment, endOffset, checksum);
    return this.#done(commit, timeMs, checksum, plan.length);
  }

  #plan(effects: readonly WriteEffect[], timeMs: number): Planned[] {
    const core = this.#core;
    const old = this.#old;
    const plan: Planned[] = [];
    for (const effect of effects) {
      const { key, value } = effect;
      old.inspect(core, this.#applier.seek(key, key.length), timeMs);
      if (value === undefined && !old.isLive) continue;
      const isKept = old.isNeeded(core, key, key.length);
      const carried = this.#encoder.carriedOf(old, isKept, key, key.length);
      const expiresAt = value === undefined ? 0 : effect.ttlMs === undefined ? effect.expiresAt : expiryOf({ ttlMs: effect.ttlMs }, timeMs);
      const bytes = this.#encoder.bytesBound(key.length, value?.length ?? 0, old, carried);
      const needsOld = isKept && (carried !== undefined || old.mayGetTable);
      plan.push({
        effect,
        expiresAt,
        isKept,
        carried,
        bytes,
        needsOld,
        addressCommit: isKept ? old.commit : 0,
        addressOrdinal: isKept ? old.ordinal : 0,
        addressCarried: false,
      });
    }
    return plan;
  }

  #encode(plan: readonly Planned[], options: CommitOptions | undefined, commit: number, timeMs: number): void {
    const { log } = this.#core;
    const overhead = this.#encoder.recordBytesBound(options);
    let total = overhead;
    for (const planned of plan) total += planned.bytes;
    const isParted = total > PART_BYTES && plan.length > 1;
    if (isParted) this.#core.counters.multiPart++;
    let isBegun = false;
    try {
      for (let at = 0; at < plan.length; ) {
        const end = isParted ? endOfPart(plan, at) : plan.length;
        let bytes = overhead;
        for (let k = at; k < end; k++) bytes += plan[k]!.bytes;
        this.#reserve(bytes);
        if (isParted) log.beginPart(commit, timeMs);
        else log.beginCommit(commit, timeMs, plan.length);
        if (!isBegun) this.#encoder.setMeta(options);
        isBegun = true;
        for (; at < end; at++) this.#encodeOne(plan[at]!, commit, timeMs);
        if (isParted) log.endPart(at === plan.length);
        else log.endCommit();
      }
    } catch (error) {
      if (isBegun) log.abortCommit();
      throw error;
    }
  }

  #encodeOne(planned: Planned, commit: number, timeMs: number): void {
    const old = this.#old;
    const { key, value } = planned.effect;
    if (!planned.needsOld) {
      this.#encoder.plain(key, value, planned.expiresAt, planned.addressCommit, planned.addressOrdinal);
      return;
    }
    old.inspect(this.#core, this.#applier.seek(key, key.length), timeMs);
    this.#encoder.effect(key, key.length, value, planned.expiresAt, old, planned.isKept, planned.carried, commit);
    planned.addressCommit = old.addressCommit;
    planned.addressOrdinal = old.addressOrdinal;
    planned.addressCarried = old.addressCarried;
  }

  /** Past the point of no return: what goes wrong now is fatal, never a refusal. */
  #applyPlan(plan: readonly Planned[], commit: number, timeMs: number): void {
    const core = this.#core;
    const old = this.#old;
    core.isApplying = true;
    try {
      for (let ordinal = 0; ordinal < plan.length; ordinal++) {
        const planned = plan[ordinal]!;
        const { key, value } = planned.effect;
        this.#room.whileApplying();
        old.inspect(core, this.#applier.seek(key, key.length), timeMs);
        if (planned.isKept) old.keep(core, key.length, planned.addressCommit, planned.addressOrdinal, planned.addressCarried);
        this.#applier.write(-1, key, key.length, value, 0, value?.length ?? 0, planned.expiresAt, commit, ordinal, old);
        if (value === undefined) core.counters.deletes++;
        else core.counters.puts++;
      }
    } catch (error) {
      throw core.group.fail(error);
    } finally {
      core.isApplying = false;
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

/** Index behind the last effect of the part that begins at `start`. */
function endOfPart(plan: readonly Planned[], start: number): number {
  let bytes = 0;
  let end = start;
  while (end < plan.length && (end === start || bytes + plan[end]!.bytes <= PART_BYTES)) bytes += plan[end++]!.bytes;
  return end;
}
