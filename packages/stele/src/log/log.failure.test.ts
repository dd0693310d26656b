import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, checkAddresses, fromStart, logOptions, randomCommit, recoverAndCheck, rng, writeProgram } from '../../test/log/kit.ts';
import { SteleError } from '../base/errors.ts';
import { faultyStorage } from '../host/faulty/storage.ts';
import { Log } from './log.ts';

const failsWith = (code: string) => (error: unknown) => {
  assert.ok(error instanceof SteleError, String(error));
  assert.equal(error.code, code);
  assert.equal(error.kind, 'unavailable');
  return true;
};

test('reserve refuses with DISK_FULL before any effect, and works again when there is space', () => {
  const storage = faultyStorage({ capacityBytes: 400 * 1024 });
  const options = logOptions(storage, { segmentBytes: 128 * 1024 });
  const random = rng(1);
  const log = Log.create(options);
  const models = writeProgram(log, random, 5, { large: false });
  let refused = 0;
  for (let i = 0; i < 3000 && refused < 3; i++) {
    const head = [log.headSegment, log.headOffset, log.lastChecksum, log.segments().length];
    try {
      log.reserve(5000);
    } catch (error) {
      failsWith('DISK_FULL')(error);
      refused++;
      assert.deepEqual([log.headSegment, log.headOffset, log.lastChecksum, log.segments().length], head);
      assert.equal(log.failed, false);
      continue;
    }
    models.push(append(log, randomCommit(random, log.headCommit + 1, { large: false, operationsMax: 4 }), 1, random));
  }
  assert.equal(refused, 3);
  log.writeGroup();
  log.syncNow();
  storage.setCapacity(Infinity);
  models.push(...writeProgram(log, random, 30, { large: false }));
  log.close();
  recoverAndCheck(fromStart(options), models).close();
});

test('a failed write fails the log for good, and what was buffered stays readable', () => {
  const storage = faultyStorage();
  const log = Log.create(logOptions(storage));
  const random = rng(2);
  const models = writeProgram(log, random, 5, { large: false });
  log.syncNow();
  models.push(append(log, randomCommit(random, 6), 1, random));
  storage.fail('write');
  assert.throws(() => log.writeGroup(), failsWith('LOG_WRITE_FAILED'));
  assert.equal(log.failed, true);
  assert.equal(log.writtenCommit, 5);
  assert.throws(() => log.reserve(10), failsWith('LOG_FAILED'));
  assert.throws(() => log.writeGroup(), failsWith('LOG_FAILED'));
  assert.throws(() => log.syncNow(), failsWith('LOG_FAILED'));
  checkAddresses(log, models);
});

test('a short write is continued', () => {
  const storage = faultyStorage({ shortWrites: 0.7, seed: 5 });
  const options = logOptions(storage);
  const log = Log.create(options);
  const models = writeProgram(log, rng(3), 30);
  log.close();
  recoverAndCheck(fromStart(options), models).close();
});

test('after a failed sync no other sync in flight moves the durable position', async () => {
  const storage = faultyStorage();
  const log = Log.create(logOptions(storage));
  const random = rng(4);
  const models = writeProgram(log, random, 3, { large: false });
  log.syncNow();
  const durable = [log.durableSegment, log.durableOffset, log.durableCommit];
  storage.fail('sync');
  models.push(...writeProgram(log, random, 2, { large: false }));
  const first = log.sync();
  models.push(append(log, randomCommit(random, log.headCommit + 1, { large: false }), 1, random));
  log.writeGroup();
  const second = log.sync();
  await assert.rejects(first, failsWith('LOG_SYNC_FAILED'));
  await assert.rejects(second, failsWith('LOG_FAILED'));
  assert.equal(log.failed, true);
  assert.ok(durable[0] === log.durableSegment && durable[1] === log.durableOffset && durable[2] === log.durableCommit);
  checkAddresses(log, models);
});

test('several syncs in flight each cover what was written when they began', async () => {
  const storage = faultyStorage();
  const log = Log.create(logOptions(storage));
  const random = rng(6);
  const syncs: Promise<void>[] = [];
  const reached: number[] = [];
  for (let i = 0; i < 20; i++) {
    writeProgram(log, random, 3, { large: i % 5 === 0 });
    const commit = log.writtenCommit;
    syncs.push(log.sync().then(() => void reached.push(log.durableCommit - commit)));
  }
  await Promise.all(syncs);
  assert.ok(reached.every((ahead) => ahead >= 0));
  assert.equal(log.durableCommit, log.headCommit);
  assert.equal(log.unsyncedBytes, 0);
});

test('the end of a simulated machine is not taken for a failing disk', () => {
  const storage = faultyStorage({ powerCutAt: 12 });
  const log = Log.create(logOptions(storage));
  assert.throws(
    () => {
      for (;;) {
        writeProgram(log, rng(1), 3, { large: false });
        log.syncNow();
      }
    },
    (error: unknown) => !(error instanceof SteleError),
  );
});

test('an aborted record leaves no trace, alone or between others', () => {
  const options = logOptions();
  const log = Log.create(options);
  const random = rng(7);
  const key = Uint8Array.of(9);
  const abort = (): void => {
    log.reserve(500);
    log.beginCommit(log.headCommit + 1, 1_700_000_000_000, 1);
    log.put(key, 1, key, 0, 1, 0, 0, 0, false, undefined);
    log.abortCommit();
    log.abortCommit();
  };
  abort();
  log.writeGroup();
  assert.equal(log.headOffset, 256);
  const models = [];
  for (let i = 1; i < 6; i++) {
    models.push(append(log, randomCommit(random, i, { large: false }), 1, random));
    abort();
  }
  log.writeGroup();
  checkAddresses(log, models);
  log.close();
  recoverAndCheck(fromStart(options), models).close();
});

test('a caller that reserved too little meets INVARIANT, not another record', () => {
  const log = Log.create(logOptions());
  log.reserve(100);
  log.beginCommit(1, 1, 1);
  const value = new Uint8Array(200);
  assert.throws(
    () => log.put(value, 10, value, 0, 200, 0, 0, 0, false, undefined),
    (error: unknown) => error instanceof SteleError && error.code === 'INVARIANT',
  );
  log.abortCommit();
});
