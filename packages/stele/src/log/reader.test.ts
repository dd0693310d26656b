import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FewFrames } from '../../test/log/blocks.ts';
import {
  append,
  below,
  bytesOf,
  checkAddresses,
  fromStart,
  logOptions,
  type ModelCommit,
  recoverAndCheck,
  rng,
  writeProgram,
} from '../../test/log/kit.ts';
import { SteleError } from '../base/errors.ts';
import { Log, MISS, OK } from './log.ts';
import { OperationView } from './operation-view.ts';
import { segmentName } from './segment.ts';

const code = (expected: string) => (error: unknown) => error instanceof SteleError && error.code === expected && error.kind === 'corrupt';

test('reading through a few frames gives the same as reading files, and a miss is a value', async () => {
  const random = rng(12);
  const blocks = new FewFrames(12, 4096);
  const options = logOptions(undefined, { blocks });
  const log = Log.create(options);
  const models = writeProgram(log, random, 100, { large: true });
  log.close();
  const again = recoverAndCheck(fromStart(options), models);
  const view = new OperationView();
  const first = models[0]!;
  assert.equal(again.readOperation(first.segment, first.offset, 1, 0, false, view), MISS);
  assert.equal(again.missedBlock, 0);
  await again.fillMissedAsync();
  assert.ok([OK, MISS].includes(again.readOperation(first.segment, first.offset, 1, 0, false, view)));
  assert.equal(blocks.fills, 1);
  checkAddresses(again, models);
  assert.ok(blocks.fills > 10);
});

/** A commit whose value is `value`. */
function single(log: Log, commit: number, value: Uint8Array): ModelCommit {
  const operation = { key: Uint8Array.of(1), value, expiresAt: 0, backCommit: 0, backOrdinal: 0, backCarried: false, table: undefined };
  return append(log, {
    commit,
    timeMs: 1,
    asserted: 0,
    meta: [],
    operations: [operation],
    carried: [],
    segment: 0,
    offset: 0,
    checksum: 0,
  });
}

test('ranges of a large value are read from memory and from the file, blocking or not', async () => {
  const random = rng(13);
  const options = logOptions(undefined, { segmentBytes: 1024 * 1024 });
  const log = Log.create(options);
  const value = bytesOf(random, 300_001);
  const model = single(log, 1, value);
  const check = async (from: Log): Promise<void> => {
    const view = new OperationView();
    assert.equal(from.readOperation(model.segment, model.offset, 1, 0, false, view), OK);
    for (let i = 0; i < 60; i++) {
      const offset = i === 0 ? 0 : below(random, value.length);
      const length = i === 0 ? value.length : below(random, value.length - offset + 1);
      const target = new Uint8Array(length + 2);
      if (i % 2 === 0) from.readLarge(view, offset, length, target, 1);
      else await from.readLargeAsync(view, offset, length, target, 1);
      assert.deepEqual(target.subarray(1, 1 + length), value.subarray(offset, offset + length));
      assert.equal(target[0]! | target.at(-1)!, 0);
    }
  };
  await check(log);
  log.writeGroup();
  log.close();
  await check(recoverAndCheck(fromStart(options), [model]));
});

test('a damaged block of a large value is found when it is touched, and only then', () => {
  const options = logOptions(undefined, { segmentBytes: 1024 * 1024 });
  const log = Log.create(options);
  const value = bytesOf(rng(14), 200_000);
  const model = single(log, 1, value);
  log.writeGroup();
  log.close();
  const again = recoverAndCheck(fromStart(options), [model]);
  const view = new OperationView();
  again.readOperation(model.segment, model.offset, 1, 0, false, view);
  const file = options.storage.open(segmentName(1));
  file.write(Uint8Array.of(value[100_000]! ^ 1), 0, 1, view.largeOffset + 100_000);
  const target = new Uint8Array(200_000);
  again.readLarge(view, 0, 98_000, target, 0);
  again.readLarge(view, 120_000, 80_000, target, 0);
  assert.throws(() => again.readLarge(view, 90_000, 20_000, target, 0), code('RECORD_DAMAGED'));
});

test('a damaged record, a wrong commit, a wrong ordinal and a missing segment are told apart from values', () => {
  const random = rng(15);
  const options = logOptions();
  const log = Log.create(options);
  const models = writeProgram(log, random, 60, { large: false });
  log.syncNow();
  log.close();
  const again = recoverAndCheck(fromStart(options), models);
  const view = new OperationView();
  const read = (model: ModelCommit, ordinal: number, commit = model.commit) =>
    again.readOperation(model.segment, model.offset, commit, ordinal, false, view);
  const model = models[2]!;
  assert.throws(() => read(model, 0, model.commit + 1), code('RECORD_DAMAGED'));
  assert.throws(() => read(model, model.operations.length), code('RECORD_DAMAGED'));
  assert.throws(() => again.readOperation(model.segment, model.offset, model.commit, 99, true, view), code('RECORD_DAMAGED'));
  assert.throws(() => again.readOperation(77, model.offset, model.commit, 0, false, view), code('SEGMENT_MISSING'));
  assert.throws(() => again.readOperation(model.segment, 60_000_000, model.commit, 0, false, view), code('RECORD_DAMAGED'));
  for (const victim of models.slice(5, 40)) {
    const file = options.storage.open(
      again.segments().find((info) => info.number === victim.segment)!.slot === 1 ? segmentName(1) : segmentName(victim.segment),
    );
    const byte = new Uint8Array(1);
    const at = victim.offset + below(random, 60);
    file.read(byte, 0, 1, at);
    file.write(Uint8Array.of(byte[0]! ^ (1 << below(random, 8))), 0, 1, at);
    victim.operations.forEach((expected, ordinal) => {
      try {
        if (read(victim, ordinal) === OK)
          assert.deepEqual([view.key(), view.isDelete ? undefined : view.value()], [expected.key, expected.value]);
      } catch (error) {
        assert.ok(code('RECORD_DAMAGED')(error), String(error));
      }
    });
    file.write(byte, 0, 1, at);
    file.close();
  }
});

test('a commit of many parts over several segments reads back by ordinal from any part', () => {
  const random = rng(16);
  const options = logOptions(undefined, { blocks: new FewFrames(12, 4096) });
  const log = Log.create(options);
  const models = writeProgram(log, random, 3, { large: false });
  const operations = Array.from({ length: 3000 }, (_, i) => ({
    key: Uint8Array.of(i >> 8, i & 255),
    value: bytesOf(random, 60),
    expiresAt: 0,
    backCommit: 0,
    backOrdinal: 0,
    backCarried: false,
    table: undefined,
  }));
  const carried = Array.from({ length: 40 }, () => ({
    commit: 1,
    value: bytesOf(random, 30),
    expiresAt: 0,
    backCommit: 0,
    backOrdinal: 0,
    backCarried: false,
    table: undefined,
  }));
  models.push(
    append(
      log,
      {
        commit: 4,
        timeMs: 1_700_000_000_009,
        asserted: 5,
        meta: [Uint8Array.of(1, 2)],
        operations,
        carried,
        segment: 0,
        offset: 0,
        checksum: 0,
      },
      25,
      random,
    ),
  );
  log.writeGroup();
  assert.ok(log.headSegment > 3);
  checkAddresses(log, models);
  log.close();
  checkAddresses(recoverAndCheck(fromStart(options), models), models);
});
