import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../test/model/random.ts';
import { checkReopened, Driver } from '../../test/pager/driver.ts';
import { cacheOf, createFile, openFile } from '../../test/pager/fixtures.ts';
import { memoryStorage } from '../host/memory/storage.ts';

/** One program: some hundred steps with a cache far smaller than the graph, reopened now and then. */
async function run(seed: number, steps: number): Promise<void> {
  const random = new SeededRandom(seed);
  const storage = memoryStorage();
  const blockSource = storage.open('blocks', { create: true });
  const blockBytes = Uint8Array.from({ length: 50_000 }, (_, i) => i * 7 + (i >>> 8));
  blockSource.write(blockBytes, 0, blockBytes.length, 0);
  const blocks = { name: 'blocks', file: () => blockSource };
  let driver = new Driver(cacheOf(createFile(storage), random.between(48, 90)), random);
  driver.pages.shared = random.below(2) === 0;
  let pending: Promise<void>[] = [];
  for (let step = 0; step < steps; step++) {
    const lot = random.below(100);
    if (random.below(12) === 0) {
      const lpn = driver.someChild();
      if (lpn >= 0) pending.push(driver.pages.loadAsync(lpn));
    }
    if (random.below(8) === 0) await Promise.all(pending.splice(0));
    if (lot < 70) driver.change();
    else if (lot < 74) driver.changeLarge();
    else if (lot < 82) {
      const block = random.below(12);
      const at = driver.pages.blocks.fill(blocks, block);
      assert.deepEqual(
        driver.pages.u8.slice(at, at + 4096).subarray(0, Math.max(0, 50_000 - block * 4096)),
        blockBytes.slice(block * 4096, block * 4096 + 4096),
      );
      if (random.below(10) === 0) driver.pages.blocks.drop(blocks);
    } else if (lot < 84 && driver.job === undefined) driver.beginFlush();
    else if (lot < 92 && driver.job !== undefined) {
      const job = driver.job;
      if (job.step(random.between(1, 6))) driver.finished(random.below(2) === 0 ? await job.finish(driver.end) : job.finishNow(driver.end));
      else if (random.below(20) === 0) {
        job.abort();
        driver.job = undefined;
      }
    } else if (lot === 99) driver.check();
    else if (lot === 98 && random.below(3) === 0) {
      await Promise.all(pending);
      pending = [];
      const { sequence } = driver.pages.file.meta;
      const snapshot = driver.snapshots.get(sequence)!;
      driver.pages.file.close();
      checkReopened(cacheOf(openFile(storage), 48), snapshot, random);
      driver = new Driver(cacheOf(openFile(storage), random.between(48, 90)), random, snapshot);
    }
  }
  driver.flushAll();
  driver.check();
  checkReopened(cacheOf(openFile(storage), 48), driver.snapshots.get(driver.pages.file.meta.sequence)!, random);
}

for (let seed = 1; seed <= 30; seed++) {
  test(`random program ${seed} reads like the model at every step and after every reopening`, () => run(seed, 600));
}
