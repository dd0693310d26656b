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
