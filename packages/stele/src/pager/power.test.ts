import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../test/model/random.ts';
import { checkReopened, Driver } from '../../test/pager/driver.ts';
import { cacheOf, createFile, hashing, openFile } from '../../test/pager/fixtures.ts';
import { faultyStorage } from '../host/faulty/storage.ts';
import type { Operation } from '../host/faulty/trace.ts';
import type { Storage } from '../host/storage.ts';
import { PageFile } from './page-file.ts';

/** Both metas that can be trusted bring back the state they name; the newest is at least `durable`. */
function checkSurvivor(storage: Storage, driver: Driver | undefined, seed: number): void {
  const random = new SeededRandom(seed);
  const state = PageFile.look({ storage, hashing });
  if (driver === undefined) {
    if (state === 'present') assert.equal(openFile(storage).meta.sequence, 0);
    return;
  }
  assert.equal(state, 'present');
  const file = openFile(storage);
  const durable = driver.pages.file.meta.sequence;
  const found = file.meta.sequence;
  assert.ok(found === durable || found === durable + 1, `meta ${found} after ${durable} was durable`);
  checkReopened(cacheOf(file, 64), driver.snapshots.get(found)!, random);
  if (file.olderMeta === undefined) return;
  const older = openFile(storage, { useOlder: true });
  checkReopened(cacheOf(older, 64), driver.snapshots.get(older.meta.sequence)!, random);
}

for (const sectorBytes of [512, 64]) {
  for (let seed = 1; seed <= 4; seed++) {
    test(`a power cut or a kill before any operation leaves a meta with everything it names, and the older one too (sectors of ${sectorBytes}, seed ${seed})`, () => {
      let driver: Driver | undefined;
      let cuts = 0;
      const cutHere = (operation: Operation): void => {
        if (operation.kind === 'note') return;
        for (let again = 0; again < 2; again++) checkSurvivor(storage.fork().reboot({ seed: 1 + cuts * 2 + again }), driver, seed + cuts);
        checkSurvivor(storage.fork(), driver, seed + cuts);
        cuts++;
      };
      const storage = faultyStorage({ seed, sectorBytes, onOperation: cutHere });
      const file = createFile(storage);
      driver = new Driver(cacheOf(file, 96), new SeededRandom(seed));
      for (let flush = 0; flush < 6; flush++) {
        for (let i = 0; i < 40; i++) driver.change();
        driver.changeLarge();
        driver.flushAll();
      }
      assert.ok(cuts > 40, `${cuts} cuts`);
    });
  }
}

for (let seed = 1; seed <= 6; seed++) {
  test(`a flush that meets a failing write is given up, and the next one brings everything to disk (seed ${seed})`, () => {
    const storage = faultyStorage({ seed });
    const random = new SeededRandom(seed);
    const driver = new Driver(cacheOf(createFile(storage), 96), random);
    let failed = 0;
    for (let flush = 0; flush < 30; flush++) {
      for (let i = 0; i < 10; i++) driver.change();
      storage.fail('write', { after: random.below(5) });
      try {
        driver.flushAll();
      } catch (error) {
        assert.equal((error as { code: string }).code, 'IO_ERROR');
        driver.job!.abort();
        driver.job = undefined;
        failed++;
        driver.check();
      }
      storage.clearFaults();
      checkSurvivor(storage.fork().reboot({ seed: flush + 1 }), driver, seed);
    }
    driver.flushAll();
    checkSurvivor(storage.fork().reboot({ seed }), driver, seed);
    assert.ok(failed > 5, `${failed} flushes failed`);
  });
}

test('after a failed sync nothing is written any more, and what was durable stays', () => {
  const storage = faultyStorage({ seed: 3 });
  const driver = new Driver(cacheOf(createFile(storage), 96), new SeededRandom(3));
  for (let i = 0; i < 40; i++) driver.change();
  driver.flushAll();
  for (let i = 0; i < 20; i++) driver.change();
  storage.fail('sync', { file: 'pages.db' });
  assert.throws(() => driver.flushAll(), { code: 'IO_ERROR' });
  driver.job!.abort();
  driver.job = undefined;
  driver.check();
  assert.throws(() => driver.beginFlush(), { kind: 'unavailable', code: 'PAGES_FAILED' });
  checkSurvivor(storage.reboot({ seed: 9 }), driver, 3);
});

for (let seed = 1; seed <= 6; seed++) {
  test(`with space reserved a flush never meets a full disk (seed ${seed})`, () => {
    const storage = faultyStorage({ seed });
    const driver = new Driver(cacheOf(createFile(storage), 96), new SeededRandom(seed));
    for (let flush = 0; flush < 20; flush++) {
      for (let i = 0; i < 12; i++) driver.change();
      storage.setCapacity(storage.usedBytes);
      driver.flushAll();
      storage.setCapacity(Number.POSITIVE_INFINITY);
    }
    driver.check();
  });
}

test('a full disk is refused before anything changed', () => {
  const storage = faultyStorage({ seed: 1, capacityBytes: 40 * 4096 });
  const driver = new Driver(cacheOf(createFile(storage), 96), new SeededRandom(1));
  assert.throws(() => driver.pages.reserveDisk(200), { kind: 'unavailable', code: 'DISK_FULL' });
  storage.setCapacity(4000 * 4096);
  driver.pages.reserveDisk(200);
  for (let i = 0; i < 20; i++) driver.change();
  driver.flushAll();
  driver.check();
});

for (let seed = 1; seed <= 8; seed++) {
  test(`lost, doubled and misdirected writes are found, never believed (seed ${seed})`, () => {
    const storage = faultyStorage({ seed, misplacedWrites: 0.1 });
    const random = new SeededRandom(seed);
    const driver = new Driver(cacheOf(createFile(storage), 96), random);
    for (let flush = 0; flush < 5; flush++) {
      for (let i = 0; i < 30; i++) driver.change();
      driver.flushAll();
    }
    try {
      const after = storage.reboot({ misplacedWrites: 0 });
      const file = openFile(after);
      checkReopened(cacheOf(file, 64), driver.snapshots.get(file.meta.sequence)!, random);
    } catch (error) {
      assert.equal((error as { kind?: string }).kind, 'corrupt', String(error));
    }
  });
}

for (const syncStyle of ['barrier', 'writeThrough'] as const) {
  test(`a meta found at kernel level is made durable before the other slot is written (${syncStyle})`, () => {
    const random = new SeededRandom(4);
    const first = faultyStorage({ seed: 4, syncStyle, sectorBytes: 64 });
    const driver = new Driver(cacheOf(createFile(first), 96), random);
    let killed: ReturnType<typeof first.fork> | undefined;
    let syncs = 0;
    for (let i = 0; i < 40; i++) driver.change();
    driver.flushAll();
    for (let i = 0; i < 20; i++) driver.change();
    driver.beginFlush();
    while (!driver.job!.step(100));
    driver.snapshots.set(2, driver.frozen!);
    const { file } = driver.pages;
    const sync = file.sync.bind(file);
    file.sync = () => {
      // The process dies after the meta was written and before it was synced.
      if (++syncs === 2) killed = first.fork();
      sync();
    };
    driver.finished(driver.job!.finishNow(driver.end));
    let cuts = 0;
    let second: Driver | undefined;
    const next = killed!.fork({
      onOperation: (operation) => {
        if (second === undefined || operation.kind === 'note') return;
        for (let seed = 1; seed < 40; seed++) {
          const found = openFile(next.fork().reboot({ seed }));
          if (found.meta.sequence < 2) assert.equal(found.meta.sequence, 1);
          checkReopened(
            cacheOf(found, 64),
            second.snapshots.get(found.meta.sequence) ?? driver.snapshots.get(found.meta.sequence)!,
            random,
          );
        }
        cuts++;
      },
    });
    second = new Driver(cacheOf(openFile(next), 96), random, driver.snapshots.get(2)!);
    for (let flush = 0; flush < 3; flush++) {
      for (let i = 0; i < 10; i++) second.change();
      second.flushAll();
    }
    assert.ok(cuts > 9);
  });
}

test('flush rule 4: data pages are synced before the meta, and the meta before the flush ends', async () => {
  const storage = faultyStorage({ seed: 1, record: true });
  const driver = new Driver(cacheOf(createFile(storage), 96), new SeededRandom(1));
  for (const isBlocking of [true, false]) {
    for (let i = 0; i < 30; i++) driver.change();
    const from = storage.trace!.length;
    driver.beginFlush();
    while (!driver.job!.step(5));
    driver.finished(isBlocking ? driver.job!.finishNow(driver.end) : await driver.job!.finish(driver.end));
    const kinds = storage
      .trace!.slice(from)
      .filter((operation) => operation.kind === 'write' || operation.kind === 'sync')
      .map((operation) => (operation.kind === 'sync' ? 'sync' : operation.position <= 4096 ? 'meta' : 'data'));
    assert.deepEqual(kinds.slice(-4), ['data', 'sync', 'meta', 'sync']);
  }
  assert.throws(() => driver.pages.file.writeMeta(driver.pages.file.meta, driver.pages.file.writeCount + 1), { code: 'INVARIANT' });
});
