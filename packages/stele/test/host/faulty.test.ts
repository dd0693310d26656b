import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FaultyHost, faultyHost } from '../../src/host/faulty/host.ts';
import { PowerCut } from '../../src/host/faulty/power-cut.ts';
import type { FaultyOptions } from '../../src/host/faulty/settings.ts';
import { type FaultyStorage, faultyStorage } from '../../src/host/faulty/storage.ts';
import { writeAll } from '../../src/host/files.ts';
import { pureHashing } from '../../src/host/pure-hashing.ts';
import type { SyncStyle } from '../../src/host/storage.ts';
import {
  clockContract,
  hashingContract,
  randomContract,
  steleError,
  storageContract,
  textsContract,
  threadsContract,
  timersContract,
} from './contract.ts';

for (const syncStyle of ['barrier', 'writeThrough'] as const) {
  storageContract(`faulty, ${syncStyle}`, () => {
    const storage = faultyStorage({ syncStyle });
    return { storage, reopen: () => storage.killProcess() };
  });
  storageContract(`faulty, ${syncStyle}, virtual time`, () => {
    const host = faultyHost({ syncStyle, latencyMs: 3 });
    return { storage: host.storage, reopen: () => host.storage.reboot(), drive: host.drive };
  });
}
clockContract('faulty', () => faultyHost().clock);
randomContract('faulty', () => faultyHost().random);
timersContract('faulty', () => faultyHost());
hashingContract('faulty', () => faultyHost().hashing);
textsContract('faulty', () => faultyHost().texts);
threadsContract('faulty', () => faultyHost());

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

/** A storage whose file `f` holds `length` synced bytes of 1, name included. */
function prepared(options: FaultyOptions = {}, length = 4096): FaultyStorage {
  const storage = faultyStorage(options);
  const file = storage.open('f', { create: true });
  file.write(filled(length, 1), 0, length, 0);
  file.sync();
  storage.syncDirectory();
  return storage;
}

/** What 400 seeds make of the same moment, as texts. */
function outcomes(storage: FaultyStorage, look: (after: FaultyStorage) => string, seeds = 400): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < seeds; seed++) seen.add(look(storage.fork().reboot({ seed })));
  return seen;
}

const sectors = (after: FaultyStorage): string => {
  const bytes = after.peek('f');
  let text = '';
  for (let at = 0; at < bytes.length; at += 512) {
    const sector = bytes.subarray(at, at + 512);
    text += sector.every((byte) => byte === sector[0]) ? String(sector[0]) : '?';
  }
  return text;
};

describe('power cuts', () => {
  for (const syncStyle of ['barrier', 'writeThrough'] as SyncStyle[]) {
    test(`${syncStyle}: what was synced stays, whatever the seed`, () => {
      assert.deepEqual([...outcomes(prepared({ syncStyle }), sectors)], ['11111111']);
    });

    test(`${syncStyle}: an unsynced write may be lost, kept, or torn between sectors, never inside one`, () => {
      const storage = prepared({ syncStyle });
      storage.open('f').write(filled(2048, 2), 0, 2048, 1024);
      const seen = outcomes(storage, sectors);
      for (const expected of ['11111111', '11222211', '11211111', '11111211', '11212111']) assert.ok(seen.has(expected), expected);
      for (const text of seen) assert.match(text, /^11[12]{4}11$/);
    });

    test(`${syncStyle}: a later unsynced write may be kept while an earlier one is lost`, () => {
      const storage = prepared({ syncStyle });
      const file = storage.open('f');
      file.write(filled(512, 2), 0, 512, 0);
      file.write(filled(512, 3), 0, 512, 512);
      const seen = outcomes(storage, sectors);
      assert.deepEqual([...seen].sort(), ['11111111', '13111111', '21111111', '23111111']);
    });
  }

  test('of two versions of one sector any may be found, and none that never was', () => {
    const storage = prepared();
    const file = storage.open('f');
    file.write(filled(512, 2), 0, 512, 0);
    file.write(filled(512, 3), 0, 512, 0);
    assert.deepEqual([...outcomes(storage, sectors)].sort(), ['11111111', '21111111', '31111111']);
  });

  test('a grown file may have any length on its way, its lost parts reading as zeros', () => {
    const storage = prepared({}, 512);
    const file = storage.open('f');
    file.write(filled(512, 2), 0, 512, 512);
    file.write(filled(512, 3), 0, 512, 1024);
    const seen = outcomes(storage, sectors);
    for (const expected of ['1', '12', '123', '103']) assert.ok(seen.has(expected), expected);
  });

  test('created and removed names may have happened or not until the directory is synced', () => {
    const storage = prepared();
    storage.open('new', { create: true });
    storage.remove('f');
    const seen = outcomes(storage, (after) => after.list().join());
    assert.deepEqual([...seen].sort(), ['', 'f', 'f,new', 'new']);
    storage.syncDirectory();
    assert.deepEqual([...outcomes(storage, (after) => after.list().join())], ['new']);
  });

  test('a file synced but not its name may be gone; with both it stays', () => {
    const storage = faultyStorage();
    const file = storage.open('f', { create: true });
    file.write(filled(512, 4), 0, 512, 0);
    file.sync();
    assert.deepEqual([...outcomes(storage, (after) => after.list().join())].sort(), ['', 'f']);
    storage.syncDirectory();
    assert.deepEqual([...outcomes(storage, sectors)], ['4']);
  });

  test('the cut comes at the numbered operation, then everything throws PowerCut, which is no SteleError', () => {
    for (let cut = 1; cut <= 6; cut++) {
      const storage = faultyStorage({ powerCutAt: cut });
      const run = (): void => {
        const file = storage.open('f', { create: true }); // 1
        file.write(filled(100, 1), 0, 100, 0); // 2
        file.truncate(50); // 3
        file.sync(); // 4
        storage.syncDirectory(); // 5
        storage.remove('f'); // 6
      };
      assert.throws(run, PowerCut, `cut ${cut}`);
      assert.equal(storage.operations, cut);
      assert.equal(storage.powerWasLost, true);
      assert.throws(() => storage.list(), PowerCut);
      assert.throws(run, PowerCut);
      assert.equal(storage.reboot({ seed: 1 }).powerWasLost, false);
    }
  });

  test('every step of a write-through sync is an operation of its own', () => {
    const storage = faultyStorage({ syncStyle: 'writeThrough', powerCutAt: 5 });
    const file = storage.open('f', { create: true });
    storage.syncDirectory();
    for (let i = 0; i < 2; i++) file.write(filled(512, 2 + i), 0, 512, i * 512);
    assert.throws(() => file.sync(), PowerCut);
    const two = faultyStorage({ syncStyle: 'writeThrough', powerCutAt: 6 });
    const other = two.open('f', { create: true });
    two.syncDirectory();
    for (let i = 0; i < 2; i++) other.write(filled(512, 2 + i), 0, 512, i * 512);
    assert.throws(() => other.sync(), PowerCut);
    for (let seed = 0; seed < 50; seed++) assert.match(sectors(two.reboot({ seed })), /^2/);
  });

  test('an asynchronous sync covers what was written before its call, not what came after', async () => {
    const host = faultyHost({ latencyMs: 5 });
    const { storage } = host;
    const file = storage.open('f', { create: true });
    storage.syncDirectory();
    file.write(filled(512, 1), 0, 512, 0);
    const pending = file.syncAsync();
    file.write(filled(512, 2), 0, 512, 512);
    await host.drive(pending);
    const seen = outcomes(storage, sectors);
    assert.ok(seen.has('1') && seen.has('12'));
    assert.ok([...seen].every((text) => text.startsWith('1')));
  });

  test('promises in flight at the cut reject with PowerCut', async () => {
    const storage = prepared();
    const file = storage.open('f');
    const pending = [file.syncAsync(), file.readAsync(new Uint8Array(1), 0, 1, 0)];
    const after = storage.reboot();
    for (const each of pending) await assert.rejects(each, PowerCut);
    assert.deepEqual(after.list(), ['f']);
  });
});

describe('killed processes', () => {
  test('everything written is found, handles are dead, and the lock is free', () => {
    const storage = faultyStorage();
    storage.lock();
    const file = storage.open('f', { create: true });
    file.write(filled(600, 7), 0, 600, 0);
    const next = storage.killProcess();
    assert.throws(() => file.read(new Uint8Array(1), 0, 1, 0), PowerCut);
    assert.deepEqual(next.peek('f'), filled(600, 7));
    next.lock();
  });

  test('barrier: the next process makes durable what the dead one wrote by syncing', () => {
    const storage = prepared();
    storage.open('f').write(filled(512, 2), 0, 512, 0);
    const next = storage.killProcess();
    next.open('f').sync();
    assert.deepEqual([...outcomes(next, sectors)], ['21111111']);
  });

  test('writeThrough: it must mark it first', () => {
    const storage = prepared({ syncStyle: 'writeThrough' });
    storage.open('f').write(filled(512, 2), 0, 512, 0);
    const next = storage.killProcess();
    const file = next.open('f');
    file.sync();
    assert.deepEqual([...outcomes(next, sectors)].sort(), ['11111111', '21111111']);
    file.markUnsynced(0, 512);
    file.sync();
    assert.deepEqual([...outcomes(next, sectors)], ['21111111']);
  });
});

test('writeThrough: marking half of what a dead process wrote makes only that half durable', () => {
  const storage = prepared({ syncStyle: 'writeThrough' });
  storage.open('f').write(filled(2048, 2), 0, 2048, 0);
  const next = storage.killProcess();
  const file = next.open('f');
  file.markUnsynced(512, 1024);
  file.sync();
  const seen = outcomes(next, sectors);
  assert.ok(seen.has('12211111') && seen.has('22221111'));
  for (const text of seen) assert.match(text, /^[12]22[12]1111$/);
});

test('writeThrough: a file that a dead process cut is not cut again below what the next one made durable', () => {
  // A power cut applied the dead process's truncate, which no sync of its own covered, to pages that were written and synced after it. A
  // file system orders both in its journal; found by the surface rack.
  const storage = prepared({ syncStyle: 'writeThrough' });
  storage.open('f').truncate(1024);
  const next = storage.killProcess();
  const file = next.open('f');
  file.write(filled(512, 3), 0, 512, 2048);
  file.sync();
  for (const text of outcomes(next, sectors)) assert.match(text, /^11003$/);
});

describe('failing disks', () => {
  test('a full disk takes what fits, then says DISK_FULL, and overwriting still works', () => {
    const storage = faultyStorage({ capacityBytes: 8192 });
    const file = storage.open('f', { create: true });
    assert.equal(file.write(filled(10_000, 1), 0, 10_000, 0), 8192);
    assert.throws(() => file.write(filled(10, 1), 0, 10, 8192), steleError('unavailable', 'DISK_FULL'));
    assert.throws(() => writeAll(file, filled(10_000, 1), 0, 10_000, 0), steleError('unavailable', 'DISK_FULL'));
    assert.equal(file.write(filled(8192, 2), 0, 8192, 0), 8192);
    storage.setCapacity(16_384);
    assert.equal(file.write(filled(10, 1), 0, 10, 8192), 10);
    storage.remove('f');
    assert.equal(storage.usedBytes, 0);
  });

  test('ordered failures come when, where and as often as ordered', async () => {
    const storage = prepared();
    const file = storage.open('f');
    const other = storage.open('g', { create: true });
    storage.fail('read', { after: 1, times: 2, file: 'f' });
    const read = (of: typeof file) => () => of.read(new Uint8Array(1), 0, 1, 0);
    assert.equal(read(file)(), 1);
    read(other)();
    assert.throws(read(file), steleError('unavailable', 'IO_ERROR'));
    await assert.rejects(file.readAsync(new Uint8Array(1), 0, 1, 0), steleError('unavailable', 'IO_ERROR'));
    assert.equal(read(file)(), 1);
    storage.fail('write', { error: 'DISK_FULL' });
    assert.throws(() => file.write(filled(10, 2), 0, 10, 0), steleError('unavailable', 'DISK_FULL'));
    storage.fail('sync', { times: Number.POSITIVE_INFINITY });
    assert.throws(() => file.sync(), steleError('unavailable', 'IO_ERROR'));
    await assert.rejects(file.syncAsync(), steleError('unavailable', 'IO_ERROR'));
    storage.clearFaults();
    file.sync();
  });

  test('after a failed sync the data counts as clean: a second sync succeeds and may have lost it', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const storage = prepared({ seed });
      const file = storage.open('f');
      file.write(filled(512, 2), 0, 512, 0);
      storage.fail('sync');
      assert.throws(() => file.sync());
      file.sync();
      assert.equal(storage.peek('f')[0], 2, 'programs still see it');
      seen.add(sectors(storage.reboot()));
    }
    assert.deepEqual([...seen].sort(), ['11111111', '21111111']);
  });

  test('a hanging sync settles only when released, in order', async () => {
    const host = faultyHost();
    const file = host.storage.open('f', { create: true });
    host.storage.hangSyncs();
    const order: number[] = [];
    const one = file.syncAsync().then(() => order.push(1));
    const two = file.syncAsync().then(() => order.push(2));
    await host.runUntilIdle();
    assert.deepEqual(order, []);
    await assert.rejects(host.drive(one), /nothing left to run/);
    host.storage.releaseSyncs();
    await host.drive(Promise.all([one, two]));
    assert.deepEqual(order, [1, 2]);
  });

  test('flipBit() rots one bit, on the device too', () => {
    const storage = prepared();
    storage.flipBit('f', 100, 3);
    assert.equal(storage.peek('f')[100], 1 ^ 8);
    assert.equal(storage.reboot().peek('f')[100], 1 ^ 8);
  });

  test('misplaced writes are noted, invisible before a reboot, and only happen when asked for', () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const storage = prepared({ seed, misplacedWrites: 0.5 });
      for (const each of storage.misplaced) kinds.add(each.kind);
      assert.equal(sectors(storage), '11111111');
      if (storage.misplaced[0]?.kind === 'lost') assert.equal(storage.reboot().peek('f').length, 0);
    }
    assert.deepEqual([...kinds].sort(), ['elsewhere', 'lost', 'twice']);
    assert.equal(prepared().misplaced.length, 0);
  });

  test('short writes come by seed and writeAll() completes them', () => {
    const storage = faultyStorage({ shortWrites: 0.7 });
    const file = storage.open('f', { create: true });
    assert.ok(file.write(filled(1000, 1), 0, 1000, 0) <= 1000);
    writeAll(file, filled(5000, 3), 0, 5000, 0);
    assert.deepEqual(storage.peek('f'), filled(5000, 3));
    assert.ok(storage.counts.write > 3);
  });
});

describe('determinism', () => {
  async function busy(host: FaultyHost): Promise<void> {
    const { storage } = host;
    const file = storage.open('log', { create: true });
    const bytes = new Uint8Array(3000);
    for (let turn = 0; turn < 20; turn++) {
      host.random.fill(bytes);
      file.write(bytes, 0, 100 + bytes[0]! * 10, turn * 500);
      if (turn % 3 === 0) await host.drive(file.syncAsync());
      await host.advance(bytes[1]!);
      if (turn % 7 === 0) storage.open(`f${turn}`, { create: true }).truncate(bytes[2]!);
    }
  }

  test('one seed twice gives the same trace hash and the same disk; another seed does not', async () => {
    const run = async (seed: number, hashing = faultyHost().hashing): Promise<string[]> => {
      const host = faultyHost({ seed, shortWrites: 0.2, hashing });
      await busy(host);
      const after = host.storage.reboot();
      const contents = after.list().map((name) => faultyHost().hashing.sha256(after.peek(name)).join());
      return [host.storage.traceHash(), String(host.clock.nowMs()), ...contents];
    };
    assert.deepEqual(await run(42), await run(42));
    assert.deepEqual(await run(42), await run(42, pureHashing()));
    assert.notDeepEqual((await run(42))[0], (await run(43))[0]);
  });

  test('a fork goes its own way, and cutting forks at every operation equals cutting the run', async () => {
    const moments: FaultyStorage[] = [];
    const host = faultyHost({ seed: 5, onOperation: () => void moments.push(host.storage.fork()), record: true });
    await busy(host);
    assert.equal(moments.length, host.storage.operations);
    assert.equal(host.storage.trace?.filter((each) => each.kind === 'sync').length, host.storage.counts.sync);
    const before = host.storage.peek('log');
    const last = moments.at(-1)!;
    last.open('log').write(filled(100, 9), 0, 100, 0);
    assert.deepEqual(host.storage.peek('log'), before);
    for (const moment of moments) assert.ok(moment.reboot({ seed: 3 }).list().length <= 5);
  });

  test('random bytes differ after a reboot, even with the same seed', () => {
    const host = faultyHost({ seed: 9 });
    const one = new Uint8Array(16);
    const two = new Uint8Array(16);
    host.random.fill(one);
    host.reboot({ seed: 9 }).random.fill(two);
    assert.notDeepEqual(one, two);
  });
});

describe('virtual time', () => {
  test('advance() runs what is due, timers moved by timers included; step() moves only the wall', async () => {
    const host = faultyHost({ startMs: 1000 });
    const seen: string[] = [];
    host.timers.after(10, true, () => {
      seen.push(`first at ${host.clock.nowMs()}`);
      host.timers.after(5, false, () => seen.push(`second at ${host.clock.nowMs()}`));
    });
    host.timers.after(100, false, () => seen.push('late'));
    await host.advance(50);
    assert.deepEqual(seen, ['first at 1010', 'second at 1015']);
    host.time.step(-40);
    assert.deepEqual([host.clock.nowMs(), host.clock.monotonicMs()], [1010, 50]);
  });

  test('runUntilIdle() waits for foreground timers and not for background ones', async () => {
    const host = faultyHost();
    let beats = 0;
    const beat = (): void => {
      beats++;
      host.timers.after(1000, true, beat);
    };
    beat();
    host.timers.after(2500, false, () => {});
    await host.runUntilIdle();
    assert.equal(beats, 3);
  });

  test('an error thrown by work comes out of the pump, and PowerCut does not', async () => {
    const host = faultyHost();
    host.timers.immediate(() => {
      throw new Error('from work');
    });
    await assert.rejects(host.runUntilIdle(), /from work/);
    host.timers.immediate(() => void host.storage.reboot());
    host.timers.immediate(() => assert.fail('timers of a stopped machine do not run'));
    await host.runUntilIdle();
  });
});
