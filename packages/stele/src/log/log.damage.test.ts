import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  append,
  below,
  checkAddresses,
  fromStart,
  logOptions,
  type ModelCommit,
  randomCommit,
  recoverAndCheck,
  restore,
  rng,
  snapshot,
  writeProgram,
} from '../../test/log/kit.ts';
import { isZero } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import type { Storage } from '../host/storage.ts';
import { Log } from './log.ts';
import { segmentName } from './segment.ts';
import type { LogOptions, RecoverOptions } from './types.ts';

const damaged =
  (code: string, check: (detail: Readonly<Record<string, unknown>>) => void = () => {}) =>
  (error: unknown) => {
    assert.ok(error instanceof SteleError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.kind, 'corrupt');
    check(error.detail);
    return true;
  };

/** Changes a file in place. */
function edit(storage: Storage, name: string, change: (bytes: Uint8Array) => void): void {
  const file = storage.open(name);
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  change(bytes);
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

/** Commits in two groups, the first of them durable, the second known only to the kernel. */
function twoGroups(
  first: number,
  second: number,
): { options: LogOptions; models: ModelCommit[]; durable: number; start: number; end: number } {
  const random = rng(5);
  const options = logOptions();
  const log = Log.create(options);
  const models: ModelCommit[] = [];
  for (let i = 1; i <= first + second; i++) {
    models.push(append(log, randomCommit(random, i, { large: i % 3 === 0, operationsMax: 5 }), 1, random));
    if (i === first) {
      log.writeGroup();
      log.syncNow();
    }
  }
  const start = log.durableOffset;
  log.writeGroup();
  const end = log.headOffset;
  assert.equal(log.headSegment, 1);
  log.close();
  return { options, models, durable: first, start, end };
}

test('a group torn at any byte loses only commits from there on, and the log goes on', () => {
  const { options, models, durable, start, end } = twoGroups(2, 3);
  const files = snapshot(options.storage);
  const name = segmentName(1);
  for (let cut = start; cut < end; cut += cut - start < 400 || end - cut < 400 ? 1 : 97) {
    const bytes = files.get(name)!.slice();
    for (let i = cut; i < end; i++) bytes[i]! ^= 0xff;
    const torn = { ...options, storage: restore(new Map([[name, bytes]])) };
    const kept = models.filter((_model, i) => i < durable || (models[i + 1]?.offset ?? end) <= cut);
    const log = recoverAndCheck(fromStart(torn, { knownDurable: { segment: 1, offset: start } }), kept);
    const more = writeProgram(log, rng(cut), 3, { large: false });
    log.close();
    recoverAndCheck(fromStart(torn), [...kept, ...more]).close();
  }
});

test('after a cut everything behind it is zero, so that nothing of the torn group can ever follow', () => {
  const { options, models, start } = twoGroups(2, 3);
  edit(options.storage, segmentName(1), (bytes) => {
    bytes[models[3]!.offset + 30]! ^= 1;
  });
  const log = recoverAndCheck(fromStart(options, { knownDurable: { segment: 1, offset: start } }), models.slice(0, 3));
  const bytes = snapshot(options.storage).get(segmentName(1))!;
  assert.ok(isZero(bytes, log.headOffset, bytes.length));
  assert.equal(log.durableOffset, log.headOffset);
});

test('a changed byte below a position known durable is LOG_DAMAGED, located, and nothing is touched', () => {
  const { options, models, start } = twoGroups(3, 2);
  for (const at of [256 + 5, models[0]!.offset, models[1]!.offset + 40, models[2]!.offset + 13, start - 1]) {
    const storage = restore(snapshot(options.storage));
    edit(storage, segmentName(1), (bytes) => {
      bytes[at]! ^= 0x10;
    });
    const before = snapshot(storage);
    assert.throws(
      () => Log.recover(fromStart({ ...options, storage }, { knownDurable: { segment: 1, offset: start } }), () => {}),
      damaged('LOG_DAMAGED', (detail) => {
        assert.equal(detail['segment'], 1);
        assert.ok(Number(detail['offset']) <= at);
        assert.ok((detail['commits'] as { first: number }).first >= 1);
      }),
    );
    assert.deepEqual(snapshot(storage), before);
  }
});

test('a later group alone is enough to tell damage from a torn tail, in the same segment and in a later one', () => {
  const random = rng(8);
  const options = logOptions();
  const log = Log.create(options);
  const models = writeProgram(log, random, 10, { large: false, groupChance: 1 });
  log.syncNow();
  models.push(...writeProgram(log, random, 3, { large: false, groupChance: 1 }));
  const sameSegment = snapshot(options.storage);
  log.syncNow();
  while (log.headSegment === 1) models.push(...writeProgram(log, random, 5, { large: false, groupChance: 1 }));
  log.close();
  for (const files of [sameSegment, snapshot(options.storage)]) {
    const storage = restore(files);
    edit(storage, segmentName(1), (bytes) => {
      bytes[models[4]!.offset + 20]! ^= 1;
    });
    assert.throws(
      () => Log.recover(fromStart({ ...options, storage }), () => {}),
      damaged('LOG_DAMAGED', (detail) => assert.equal((detail['commits'] as { first: number }).first, 5)),
    );
  }
});

test('every single flipped bit gives a clean prefix or a typed error, never another commit', () => {
  const { options, models, end } = twoGroups(2, 2);
  const files = snapshot(options.storage);
  const random = rng(4);
  for (let i = 0; i < 300; i++) {
    const storage = restore(files);
    const at = below(random, i % 4 === 0 ? 256 : end);
    edit(storage, segmentName(1), (bytes) => {
      bytes[at]! ^= 1 << below(random, 8);
    });
    let count = 0;
    try {
      const log = Log.recover(fromStart({ ...options, storage }), (view) => {
        assert.equal(view.checksum, models[count]!.checksum);
        count++;
      });
      checkAddresses(log, models.slice(0, count));
    } catch (error) {
      assert.ok(error instanceof SteleError && ['LOG_DAMAGED', 'FORMAT_NEWER', 'WRONG_DATABASE'].includes(error.code), String(error));
    }
  }
});

test('old records of a recycled file never replay, wherever the new ones end', () => {
  const random = rng(21);
  const options = logOptions();
  const log = Log.create(options);
  const models = writeProgram(log, random, 10, { large: false });
  while (log.headSegment < 3) models.push(...writeProgram(log, random, 3, { large: false }));
  log.syncNow();
  log.dropSegment(1);
  const segments = log.segments();
  const from = { segment: log.headSegment, offset: log.headOffset };
  const fromCommit = log.headCommit;
  const fromChecksum = log.lastChecksum;
  const later: ModelCommit[] = [];
  while (log.headSegment < 4) later.push(append(log, randomCommit(random, log.headCommit + 1, { large: false }), 1, random));
  assert.equal(log.segments().at(-1)!.slot, 1, 'the dropped file was used again');
  assert.equal(log.segments().at(-1)!.generation, 4);
  for (let i = 0; i < 30; i++) {
    log.writeGroup();
    const storage = restore(snapshot(options.storage));
    const recover: RecoverOptions = { ...options, storage, from, fromCommit, fromChecksum, knownDurable: from, segments };
    const again = recoverAndCheck(recover, later);
    assert.deepEqual([again.headSegment, again.headOffset], [log.headSegment, log.headOffset]);
    later.push(append(log, randomCommit(random, log.headCommit + 1, { large: false, operationsMax: 6 }), 1, random));
    if (log.headSegment > 4) break;
  }
});

test('a group copied to a later place is not taken for one', () => {
  const { options, models, start, end } = twoGroups(3, 1);
  edit(options.storage, segmentName(1), (bytes) => {
    bytes.copyWithin(end + ((8 - (end % 8)) % 8), 256, start);
  });
  recoverAndCheck(fromStart(options), models).close();
});

test('a missing segment is LOG_DAMAGED when it was durable, and its number can be used again when it was not', () => {
  const random = rng(31);
  const options = logOptions();
  const log = Log.create(options);
  const models: ModelCommit[] = [];
  while (log.headSegment < 3) models.push(...writeProgram(log, random, 3, { large: false }));
  log.syncNow();
  const durable = { segment: log.durableSegment, offset: log.durableOffset };
  log.close();
  options.storage.remove(segmentName(2));
  assert.throws(() => Log.recover(fromStart(options, { knownDurable: durable }), () => {}), damaged('LOG_DAMAGED'));
  assert.throws(() => Log.recover({ ...fromStart(options), from: { segment: 2, offset: 256 } }, () => {}), damaged('LOG_DAMAGED'));
});

test('a segment of another database and two files with one number are refused', () => {
  const { options } = twoGroups(1, 1);
  const other = { ...options, databaseId: new Uint8Array(16).fill(3) };
  assert.throws(() => Log.recover(fromStart(other), () => {}), damaged('WRONG_DATABASE'));
  const files = snapshot(options.storage);
  files.set(segmentName(9), files.get(segmentName(1))!);
  assert.throws(() => Log.recover(fromStart({ ...options, storage: restore(files) }), () => {}), damaged('LOG_DAMAGED'));
});

test('read-only recovery sees the cut and writes nothing', () => {
  const { options, models } = twoGroups(2, 3);
  edit(options.storage, segmentName(1), (bytes) => {
    bytes[models[4]!.offset + 3]! ^= 1;
  });
  const before = snapshot(options.storage);
  const log = recoverAndCheck(fromStart(options, { readOnly: true }), models.slice(0, 4));
  checkAddresses(log, models.slice(0, 4));
  assert.throws(
    () => log.reserve(10),
    (error: unknown) => error instanceof SteleError && error.code === 'READ_ONLY',
  );
  assert.equal(log.prepareSpare(1000), false);
  log.close();
  assert.deepEqual(snapshot(options.storage), before);
});

test('a commit without its final part does not exist, and its number is taken by the next', () => {
  const options = logOptions();
  const log = Log.create(options);
  const random = rng(3);
  const models = writeProgram(log, random, 5, { large: false });
  const key = Uint8Array.of(1);
  for (let part = 0; part < 3; part++) {
    log.reserve(500);
    log.beginPart(6, 1_700_000_000_006);
    log.put(key, 1, key, 0, 1, 0, 0, 0, false, undefined);
    log.endPart(false);
    log.writeGroup();
  }
  log.syncNow();
  const durable = { segment: log.durableSegment, offset: log.durableOffset };
  log.close();
  for (let round = 0; round < 3; round++) {
    const again = recoverAndCheck(fromStart(options, { knownDurable: durable }), models);
    if (round === 1) models.push(...writeProgram(again, random, 4));
    again.close();
  }
  const last = Log.recover(fromStart(options), () => {});
  checkAddresses(last, models);
});
