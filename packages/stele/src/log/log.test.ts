import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  below,
  checkAddresses,
  checkCommit,
  fromStart,
  logOptions,
  readWhole,
  recoverAndCheck,
  rng,
  writeProgram,
} from '../../test/log/kit.ts';
import { Log } from './log.ts';
import { KIND_CLEAN_CLOSE, KIND_KEPT_RANGES } from './record-format.ts';

for (const seed of [1, 2, 3, 4]) {
  test(`a random program reads back by address, forward and after recovery (seed ${seed})`, () => {
    const random = rng(seed);
    const options = logOptions();
    const log = Log.create(options);
    const models = writeProgram(log, random, 120);
    checkAddresses(log, models);
    const forward = log.commits(models[0]!.segment, models[0]!.offset, 1, Infinity);
    for (const model of models) checkCommit(forward.next()!, model, readWhole(log));
    assert.equal(forward.next(), undefined);
    for (let i = 0; i < 10; i++) {
      const from = below(random, models.length);
      const view = log.commits(models[from]!.segment, models[from]!.offset, from + 1, from + 1, 4096);
      checkCommit(view.next()!, models[from]!);
      assert.equal(view.next(), undefined);
    }
    const head = [log.headSegment, log.headOffset, log.lastChecksum];
    log.close();
    const again = recoverAndCheck(fromStart(options), models);
    assert.deepEqual([again.headSegment, again.headOffset, again.lastChecksum], head);
    assert.equal(again.durableCommit, models.length);
    checkAddresses(again, models);
    const more = writeProgram(again, random, 60);
    checkAddresses(again, [...models, ...more]);
    again.close();
    recoverAndCheck(fromStart(options), [...models, ...more]).close();
  });
}

test('marks come back in order, and a clean close is known as such until something follows it', () => {
  const options = logOptions();
  const log = Log.create(options);
  const random = rng(9);
  const models = writeProgram(log, random, 3, { large: false });
  log.appendMark(KIND_KEPT_RANGES, 1_700_000_000_005, Uint8Array.of(1, 2, 3));
  models.push(...writeProgram(log, random, 2, { large: false }));
  log.appendMark(KIND_CLEAN_CLOSE, 1_700_000_000_009, new Uint8Array(0));
  log.writeGroup();
  log.syncNow();
  const end = { segment: log.headSegment, offset: log.headOffset };
  const { lastChecksum } = log;
  log.close();
  const marks: unknown[] = [];
  const visitMark = (kind: number, commit: number, timeMs: number, body: Uint8Array): void =>
    void marks.push([kind, commit, timeMs, [...body]]);
  const again = recoverAndCheck(fromStart(options, { visitMark }), models);
  assert.deepEqual(marks, [
    [KIND_KEPT_RANGES, 3, 1_700_000_000_005, [1, 2, 3]],
    [KIND_CLEAN_CLOSE, 5, 1_700_000_000_009, []],
  ]);
  assert.equal(again.cleanlyClosed, true);
  again.close();
  const fast = Log.recover(
    { ...fromStart(options), from: end, fromCommit: 5, fromChecksum: lastChecksum, knownDurable: end, endIsKnown: true },
    () => assert.fail('nothing follows'),
  );
  models.push(...writeProgram(fast, random, 2, { large: false }));
  fast.close();
  assert.equal(recoverAndCheck(fromStart(options), models).cleanlyClosed, false);
});
