/**
 * What the tests of the log share: a seeded generator, options over a storage in memory, and a program that drives the log
 * beside a naive model (a plain list of commits).
 */

import assert from 'node:assert/strict';
import { compareBytes } from '../../src/base/bytes.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { nodeHashing } from '../../src/host/posix/hashing.ts';
import type { Storage } from '../../src/host/storage.ts';
import type { CommitIndex } from '../../src/log/commit-index.ts';
import type { CommitView } from '../../src/log/commit-view.ts';
import { Log } from '../../src/log/log.ts';
import { OperationView } from '../../src/log/operation-view.ts';
import type { LogOptions, Position, RecoverOptions } from '../../src/log/types.ts';

export type Rng = () => number;

/** Numbers in [0, 1) from a seed (mulberry32). */
export function rng(seed: number): Rng {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (random: Rng, n: number): number => Math.floor(random() * n);

export function bytesOf(random: Rng, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = below(random, 256);
  return bytes;
}

export const databaseId = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

export function logOptions(storage: Storage = memoryStorage(), more: Partial<LogOptions> = {}): LogOptions {
  let fills = 0;
  return {
    storage,
    hashing: nodeHashing(),
    random: { fill: (target) => void target.fill(++fills & 255) },
    clock: { nowMs: () => 1_700_000_000_000, monotonicMs: () => 0 },
    databaseId,
    incarnation: new Uint8Array(16).fill(7),
    epoch: new Uint8Array(8).fill(9),
    segmentBytes: 64 * 1024,
    ...more,
  };
}

export const START: Position = { segment: 1, offset: 256 };

/** Options to recover everything from the beginning. */
export function fromStart(options: LogOptions, more: Partial<RecoverOptions> = {}): RecoverOptions {
  return { ...options, from: START, fromCommit: 0, fromChecksum: 0, knownDurable: START, segments: [], ...more };
}

export interface ModelOperation {
  key: Uint8Array;
  value: Uint8Array | undefined;
  expiresAt: number;
  backCommit: number;
  backOrdinal: number;
  backCarried: boolean;
  table: Uint8Array | undefined;
}

export interface ModelCarried {
  commit: number;
  value: Uint8Array | undefined;
  expiresAt: number;
  backCommit: number;
  backOrdinal: number;
  backCarried: boolean;
  table: Uint8Array | undefined;
}

export interface ModelCommit {
  commit: number;
  timeMs: number;
  asserted: number;
  meta: Uint8Array[];
  operations: ModelOperation[];
  carried: ModelCarried[];
  segment: number;
  offset: number;
  checksum: number;
}

function randomPast(random: Rng, commit: number): Pick<ModelOperation, 'backCommit' | 'backOrdinal' | 'backCarried' | 'table'> {
  const hasBack = commit > 1 && random() < 0.5;
  return {
    backCommit: hasBack ? 1 + below(random, commit - 1) : 0,
    backOrdinal: hasBack ? below(random, 100_000) : 0,
    backCarried: hasBack && random() < 0.3,
    table: random() < 0.1 ? bytesOf(random, below(random, 300)) : undefined,
  };
}

function randomValue(random: Rng, large: boolean): Uint8Array | undefined {
  const kind = random();
  if (kind < 0.1) return undefined;
  if (large && kind < 0.16) return bytesOf(random, 16 * 1024 + 1 + below(random, 60_000));
  if (kind < 0.2) return new Uint8Array(0);
  return bytesOf(random, below(random, kind < 0.9 ? 150 : 3000));
}

/** A random commit as the engine might make it. */
export function randomCommit(random: Rng, commit: number, options: { large?: boolean; operationsMax?: number } = {}): ModelCommit {
  const large = options.large ?? true;
  const wanted = random() < 0.5 ? 1 : 1 + below(random, options.operationsMax ?? 40);
  const keys = Array.from({ length: wanted }, () => bytesOf(random, 1 + below(random, random() < 0.05 ? 1100 : 24)));
  keys.sort((a, b) => compareBytes(a, 0, a.length, b, 0, b.length));
  const unique = keys.filter((key, i) => i === 0 || compareBytes(key, 0, key.length, keys[i - 1]!, 0, keys[i - 1]!.length) !== 0);
  const operations = unique.map((key): ModelOperation => {
    const value = randomValue(random, large);
    return { key, value, expiresAt: value !== undefined && random() < 0.1 ? 1 + below(random, 2 ** 41) : 0, ...randomPast(random, commit) };
  });
  const carried: ModelCarried[] = [];
  if (commit > 1 && random() < 0.3) {
    for (let n = below(random, 4); n >= 0; n--) {
      const origin = 1 + below(random, commit - 1);
      const value = randomValue(random, large);
      carried.push({ commit: origin, value, expiresAt: value !== undefined && random() < 0.2 ? 5 : 0, ...randomPast(random, origin) });
    }
  }
  const asserted = random() < 0.2 ? 1 + below(random, 2 ** 41) : 0;
  const meta = random() < 0.2 ? Array.from({ length: 1 + below(random, 4) }, () => bytesOf(random, below(random, 40))) : [];
  return { commit, timeMs: 1_700_000_000_000 + commit, asserted, meta, operations, carried, segment: 0, offset: 0, checksum: 0 };
}

const NONE = new Uint8Array(0);

/** Appends the commit (in several parts when `parts` > 1) and notes where it went. */
export function append(log: Log, model: ModelCommit, parts = 1, random: Rng = () => 0.5): ModelCommit {
  const perPart = Math.ceil(model.operations.length / parts);
  let carriedAt = 0;
  for (let part = 0; part * perPart < model.operations.length; part++) {
    const operations = model.operations.slice(part * perPart, (part + 1) * perPart);
    const isLast = (part + 1) * perPart >= model.operations.length;
    const carried = model.carried.slice(carriedAt, isLast ? undefined : carriedAt + 1);
    carriedAt += carried.length;
    let bytes = 200 + model.meta.reduce((sum, chunk) => sum + chunk.length + 8, 0);
    for (const operation of [...operations, ...carried])
      bytes +=
        80 + ('key' in operation ? operation.key.length : 0) + (operation.value?.length ?? 0) * 1.01 + (operation.table?.length ?? 0);
    log.reserve(Math.ceil(bytes));
    if (parts === 1) log.beginCommit(model.commit, model.timeMs, operations.length);
    else log.beginPart(model.commit, model.timeMs);
    if (part === 0) {
      log.setMeta(model.asserted, model.meta);
      model.segment = log.firstPartSegment;
      model.offset = log.firstPartOffset;
    }
    const carry = (): void => {
      const entry = carried.shift();
      if (entry === undefined) return;
      const value = entry.value ?? NONE;
      log.carry(
        entry.commit,
        entry.value === undefined,
        entry.expiresAt,
        entry.backCommit,
        entry.backOrdinal,
        entry.backCarried,
        entry.table,
        value,
        0,
        value.length,
      );
    };
    for (const { key, value, expiresAt, backCommit, backOrdinal, backCarried, table } of operations) {
      if (random() < 0.3) carry();
      if (value === undefined) log.delete(key, key.length, backCommit, backOrdinal, backCarried, table);
      else log.put(key, key.length, value, 0, value.length, expiresAt, backCommit, backOrdinal, backCarried, table);
    }
    while (carried.length > 0) carry();
    if (parts === 1) log.endCommit();
    else log.endPart(isLast);
  }
  model.checksum = log.lastChecksum;
  return model;
}

const view = new OperationView();

function checkVersion(
  found: OperationView,
  expected: ModelOperation | ModelCarried,
  readLarge: ((operation: OperationView) => Uint8Array) | undefined,
  what: string,
): void {
  assert.equal(found.isDelete, expected.value === undefined, what);
  assert.equal(found.expiresAt, expected.expiresAt, what);
  assert.equal(found.backCommit, expected.backCommit, what);
  assert.equal(found.backOrdinal, expected.backOrdinal, what);
  assert.equal(found.backCarried, expected.backCarried, what);
  assert.deepEqual(
    found.table()?.length === 0 ? undefined : found.table(),
    expected.table?.length === 0 ? undefined : expected.table,
    what,
  );
  assert.equal(found.valueBytes, expected.value?.length ?? 0, what);
  assert.equal(found.isLarge, (expected.value?.length ?? 0) > 16 * 1024, what);
  const value = found.isLarge ? readLarge?.(found) : found.value();
  if (value !== undefined) assert.deepEqual(value, expected.value ?? NONE, what);
}

export function readWhole(log: Log): (operation: OperationView) => Uint8Array {
  return (operation) => {
    const value = new Uint8Array(operation.valueBytes);
    log.readLarge(operation, 0, value.length, value, 0);
    return value;
  };
}

/** Compares a commit met while reading forward with the model. */
export function checkCommit(found: CommitView, expected: ModelCommit, readLarge?: (operation: OperationView) => Uint8Array): void {
  const what = `commit ${expected.commit}`;
  assert.equal(found.commit, expected.commit, what);
  assert.equal(found.timeMs, expected.timeMs, what);
  assert.equal(found.assertedTimeMs, expected.asserted, what);
  assert.equal(found.segment, expected.segment, what);
  assert.equal(found.offset, expected.offset, what);
  assert.equal(found.checksum, expected.checksum, what);
  assert.equal(found.operationCount, expected.operations.length, what);
  assert.equal(found.carriedCount, expected.carried.length, what);
  assert.deepEqual(
    Array.from({ length: found.metaCount }, (_, i) => found.meta(i)),
    expected.meta,
    what,
  );
  expected.operations.forEach((operation, ordinal) => {
    assert.ok(found.next(view), `${what} has an operation ${ordinal}`);
    assert.equal(view.ordinal, ordinal);
    assert.deepEqual(view.key(), operation.key, what);
    checkVersion(view, operation, readLarge, `${what} operation ${ordinal}`);
  });
  assert.equal(found.next(view), false, `${what} has no more operations`);
}

/** Reads every operation and carried version by address and compares. */
export function checkAddresses(log: Log, expected: readonly ModelCommit[], index?: CommitIndex): void {
  for (const model of expected) {
    if (index !== undefined) {
      assert.equal(index.positionOf(model.commit), 0);
      assert.deepEqual([index.segment, index.offset], [model.segment, model.offset]);
    }
    const read = (ordinal: number, carried: boolean): void => {
      let outcome = log.readOperation(model.segment, model.offset, model.commit, ordinal, carried, view);
      for (let tries = 0; outcome !== 0 && tries < 20; tries++) {
        log.fillMissed();
        outcome = log.readOperation(model.segment, model.offset, model.commit, ordinal, carried, view);
      }
      assert.equal(outcome, 0);
      assert.equal(view.ordinal, ordinal);
      assert.equal(view.carried, carried);
    };
    model.operations.forEach((operation, ordinal) => {
      read(ordinal, false);
      assert.equal(view.commit, model.commit);
      assert.deepEqual(view.key(), operation.key);
      checkVersion(view, operation, readWhole(log), `commit ${model.commit} operation ${ordinal}`);
    });
    model.carried.forEach((entry, ordinal) => {
      read(ordinal, true);
      assert.equal(view.commit, entry.commit);
      checkVersion(view, entry, readWhole(log), `commit ${model.commit} carried ${ordinal}`);
    });
  }
}

/** A seeded program: random commits, groups and syncs. */
export function writeProgram(
  log: Log,
  random: Rng,
  commits: number,
  options: { large?: boolean; operationsMax?: number; groupChance?: number } = {},
): ModelCommit[] {
  const models: ModelCommit[] = [];
  for (let i = 0; i < commits; i++) {
    const model = randomCommit(random, log.headCommit + 1, options);
    const parts = model.operations.length > 3 && random() < 0.3 ? 2 + below(random, 4) : 1;
    models.push(append(log, model, parts, random));
    if (random() < (options.groupChance ?? 0.4)) {
      log.writeGroup();
      if (random() < 0.3) log.syncNow();
    }
  }
  log.writeGroup();
  return models;
}

/** Recovers and compares with the model; returns the log. */
export function recoverAndCheck(options: RecoverOptions, expected: readonly ModelCommit[]): Log {
  let at = 0;
  const log = Log.recover(options, (found) => {
    const model = expected[at++];
    assert.ok(model !== undefined, `commit ${found.commit} was never written`);
    checkCommit(found, model);
  });
  assert.equal(at, expected.length, 'all commits were found');
  return log;
}

/** Copy of all files of a memory storage as bytes. */
export function snapshot(storage: Storage): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const name of storage.list()) {
    const file = storage.open(name, { readOnly: true });
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0, bytes.length, 0);
    file.close();
    files.set(name, bytes);
  }
  return files;
}

/** A memory storage with these files. */
export function restore(files: ReadonlyMap<string, Uint8Array>): Storage {
  const storage = memoryStorage();
  for (const [name, bytes] of files) {
    const file = storage.open(name, { create: true });
    file.write(bytes, 0, bytes.length, 0);
    file.close();
  }
  return storage;
}
