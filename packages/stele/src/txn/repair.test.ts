/** Repair: what comes back from which files, what is named as lost, and that it can be cut anywhere. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { steleError } from '../../test/host/contract.ts';
import type { SteleError } from '../base/errors.ts';
import { type FaultyHost, faultyHost } from '../host/faulty/host.ts';
import { memoryHost } from '../host/memory/host.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import { posixHost } from '../host/posix/host.ts';
import { PageFile } from '../pager/page-file.ts';
import { openEngine } from './engine.ts';
import { type RepairOptions, type RepairReport, repairDatabase } from './repair.ts';
import type { Engine, EngineOptions, Reader } from './types.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const keyOf = (n: number): Uint8Array => text(`\u0002key/${String(n).padStart(6, '0')}`);
const COMMITS = 150;

function stateOf(reader: Reader): string[] {
  return [...reader.scan()].map(
    (entry) => `${Buffer.from(entry.key).toString('latin1')} ${entry.version} ${entry.expiresAt} ${entry.value.length} ${entry.value[0]}`,
  );
}

interface Machine {
  readonly host: FaultyHost;
  /** By version. */
  readonly states: string[][];
  readonly options: EngineOptions;
}

/** Built once for each shape, then forked. */
const built = new Map<string, Promise<Machine>>();

async function machine(
  more: Partial<EngineOptions> = {},
  prepare?: (engine: Engine, host: FaultyHost) => Promise<void>,
  unflushed = 10,
  seed = 1,
): Promise<Machine> {
  if (prepare !== undefined) return build(more, prepare, unflushed, seed);
  const key = JSON.stringify([more, unflushed, seed]);
  let made = built.get(key);
  if (made === undefined) built.set(key, (made = build(more, undefined, unflushed, seed)));
  const { host, states, options } = await made;
  return { host: host.fork(), states: [...states], options };
}

/** A closed database of several pages and segments: puts, overwrites, deletes, large values. */
async function build(
  more: Partial<EngineOptions>,
  prepare: ((engine: Engine, host: FaultyHost) => Promise<void>) | undefined,
  unflushed: number,
  seed: number,
): Promise<Machine> {
  const host = faultyHost({ seed });
  const options: EngineOptions = { host, segmentBytes: 128 * 1024, cacheMemory: 2 ** 21, ...more };
  const engine = await host.drive(openEngine(options));
  const states = [stateOf(engine)];
  for (let n = 1; n <= COMMITS; n++) {
    await host.drive(
      engine.batch(
        [
          ...Array.from({ length: 12 }, (_, k) => ({
            type: 'put' as const,
            key: keyOf((n * 13 + k * 31) % 500),
            value: new Uint8Array(150).fill(n),
          })),
          { type: 'delete' as const, key: keyOf((n * 7) % 500) },
          ...(n % 10 === 0 ? [{ type: 'put' as const, key: keyOf(1000 + n), value: new Uint8Array(30_000).fill(n) }] : []),
        ],
        { durability: n > COMMITS - unflushed ? 'immediate' : 'async' },
      ),
    );
    states.push(stateOf(engine));
    if (n === COMMITS - unflushed) {
      await host.drive(engine.compact());
      await prepare?.(engine, host);
    }
  }
  // As after a crash: the last commits are in the log only.
  return { host: host.killProcess(), states, options };
}

const metaOf = (host: FaultyHost): PageFile['meta'] => {
  const file = PageFile.open({ storage: host.storage, hashing: host.hashing, readOnly: true });
  file.close();
  return file.meta;
};

const repair = (host: FaultyHost, more: Partial<RepairOptions> = {}): Promise<RepairReport> =>
  host.drive(repairDatabase({ host, segmentBytes: 128 * 1024, cacheMemory: 2 ** 21, ...more }));

function contents(host: FaultyHost): Map<string, string> {
  return new Map(host.storage.list().map((name) => [name, createHash('sha256').update(host.storage.peek(name)).digest('hex')]));
}

/** Opens, compares the newest state and a few older ones, verifies. */
async function assertState(host: FaultyHost, states: readonly string[][], version: number, from = 0): Promise<void> {
  const engine = await host.drive(openEngine({ host, segmentBytes: 128 * 1024, cacheMemory: 2 ** 21 }));
  assert.equal(engine.version, version);
  assert.deepEqual(stateOf(engine), states[version]);
  assert.equal(engine.count(), states[version]!.length);
  for (let at = from; at <= version; at += 37) {
    using view = engine.asOf(at);
    assert.deepEqual(stateOf(view), states[at], `version ${at}`);
  }
  assert.deepEqual((await host.drive(engine.verify())).damages, []);
  await host.drive(engine.put(keyOf(3), text('after')));
  await host.drive(engine.close());
  const again = await host.drive(openEngine({ host }));
  assert.deepEqual(again.get(keyOf(3)), text('after'));
  await host.drive(again.close());
}

function rot(host: FaultyHost, name: string, offset: number): void {
  host.storage.flipBit(name, offset, 2);
}

function firstPage(host: FaultyHost, type: number): number {
  const { pageBytes, pageCount } = metaOf(host);
  const bytes = host.storage.peek('pages.db');
  for (let page = 2; page < pageCount; page++) if (bytes[page * pageBytes + 6] === type && bytes[page * pageBytes + 12] !== 0) return page;
  throw new Error(`no page of type ${type}`);
}

test('repair of a sound database rebuilds nothing', async () => {
  const { host, states } = await machine();
  const report = await repair(host);
  assert.equal(report.isRepaired, false);
  assert.deepEqual([report.damages, report.remaining, report.setAside], [[], [], []]);
  await assertState(host, states, COMMITS);
});

for (const [what, damage] of Object.entries({
  'a leaf rots': (host: FaultyHost) => rot(host, 'pages.db', metaOf(host).rootPage * 0 + firstPage(host, 1) * 8192 + 3000),
  'the root rots': (host: FaultyHost) => rot(host, 'pages.db', metaOf(host).rootPage * 8192 + 8000),
  'both metas rot': (host: FaultyHost) => {
    rot(host, 'pages.db', 300);
    rot(host, 'pages.db', 8192 + 300);
  },
  'the page file is gone': (host: FaultyHost) => host.storage.remove('pages.db'),
} satisfies Record<string, (host: FaultyHost) => void>)) {
  test(`with everything kept the log rebuilds all of it, when ${what}`, async () => {
    const { host, states } = await machine();
    damage(host);
    const before = contents(host).get('pages.db');
    const report = await repair(host);
    assert.equal(report.isRepaired, true);
    assert.equal(report.base, 'log');
    assert.equal(report.version, COMMITS);
    assert.ok(report.damages.length > 0);
    assert.deepEqual(
      [report.remaining, report.lostKeys, report.lostRanges, report.lostTimes, report.lostCommits],
      [[], [], [], [], undefined],
    );
    if (before !== undefined) assert.equal(contents(host).get('damaged-1-pages.db'), before, 'the original is aside');
    await assertState(host, states, COMMITS);
  });
}

test('one rotten meta is written anew', async () => {
  const { host, states } = await machine();
  rot(host, 'pages.db', 8192 + 100);
  const report = await repair(host);
  assert.equal(report.isRepaired, true);
  assert.equal(report.base, 'kept');
  assert.deepEqual(report.remaining, []);
  await assertState(host, states, COMMITS);
});

test('a commit index that rots, or is gone, is rebuilt from the log', async () => {
  for (const damage of [
    (host: FaultyHost) => rot(host, 'commits.idx', 256 + 24 * 50 + 4),
    (host: FaultyHost) => rot(host, 'commits.idx', 30),
    (host: FaultyHost) => host.storage.remove('commits.idx'),
  ]) {
    const { host, states } = await machine();
    damage(host);
    const report = await repair(host);
    assert.deepEqual(report.remaining, []);
    assert.deepEqual(report.lostTimes, []);
    await assertState(host, states, COMMITS);
  }
});

test('headers that rot are derived again', async () => {
  const { host, states } = await machine();
  rot(host, 'headers.dat', 256 + 115 * 40 + 60);
  const report = await repair(host);
  assert.equal(report.isRepaired, true);
  assert.deepEqual(report.remaining, []);
  await assertState(host, states, COMMITS);
});

test('headers whose records are gone come from the backup, or are named as lost', async () => {
  const backup = memoryStorage();
  const { host } = await machine({ historyRetention: 0, segmentBytes: 64 * 1024 }, (engine, own) => own.drive(engine.backup(backup)));
  const good = host.storage.peek('headers.dat');
  host.storage.remove('headers.dat');
  const copy = host.fork();
  const lost = await repair(copy);
  assert.ok(lost.lostHeaders.length > 0 && lost.lostHeaders[0]!.last < COMMITS);
  assert.deepEqual(lost.remaining, []);
  const report = await repair(host, { backup });
  assert.deepEqual(report.lostHeaders, []);
  assert.deepEqual(report.remaining, []);
  assert.deepEqual(host.storage.peek('headers.dat').subarray(0, good.length), good);
});

test('where the log has been dropped, leaves that verify are overlaid with it, and lost ranges are named', async () => {
  const { host, states } = await machine({ historyRetention: 0, segmentBytes: 64 * 1024 });
  rot(host, 'pages.db', firstPage(host, 1) * 8192 + 3000);
  const report = await repair(host);
  assert.equal(report.base, 'leaves');
  assert.equal(report.version, COMMITS);
  assert.equal(report.lostRanges.length, 1);
  assert.deepEqual(report.remaining, []);
  const { start, end } = report.lostRanges[0]!;
  const engine = await host.drive(openEngine({ host }));
  const isLost = (line: string): boolean => {
    const key = Buffer.from(line.split(' ')[0]!, 'latin1');
    return Buffer.compare(key, start) >= 0 && (end === undefined || Buffer.compare(key, end) < 0);
  };
  const found = stateOf(engine);
  const expected = states[COMMITS]!;
  assert.deepEqual(
    found.filter((line) => !isLost(line)),
    expected.filter((line) => !isLost(line)),
  );
  assert.ok(
    found.every((line) => expected.includes(line)),
    'nothing old comes back',
  );
  assert.ok(found.length < expected.length && found.length > expected.length / 2);
  assert.equal(engine.count(), found.length);
  await host.drive(engine.close());
});

test('where the log has been dropped and an inner page rots, no leaf is lost', async () => {
  const { host, states } = await machine({ historyRetention: 0, segmentBytes: 64 * 1024 });
  rot(host, 'pages.db', metaOf(host).rootPage * 8192 + 8100);
  const report = await repair(host);
  assert.equal(report.base, 'leaves');
  assert.deepEqual([report.lostRanges, report.lostKeys, report.remaining], [[], [], []]);
  await assertState(host, states, COMMITS, COMMITS);
});

test('a large value whose pages rot comes from the log, or its key is named', async () => {
  const { host, states } = await machine();
  const page = firstPage(host, 3);
  rot(host, 'pages.db', page * 8192 + 3000);
  assert.equal((await repair(host)).base, 'log');
  await assertState(host, states, COMMITS);

  const dropped = await machine({ historyRetention: 0, segmentBytes: 64 * 1024 });
  rot(dropped.host, 'pages.db', firstPage(dropped.host, 3) * 8192 + 3000);
  const report = await repair(dropped.host);
  assert.equal(report.base, 'leaves');
  assert.equal(report.lostKeys.length, 1);
  assert.deepEqual(report.remaining, []);
});

test('a backup gives the base that the log alone cannot', async () => {
  const backup = memoryStorage();
  const { host, states } = await machine({ historyRetention: 0, segmentBytes: 64 * 1024 }, (engine, own) =>
    own.drive(engine.backup(backup)),
  );
  rot(host, 'pages.db', firstPage(host, 1) * 8192 + 3000);
  const report = await repair(host, { backup });
  assert.equal(report.base, 'backup');
  assert.deepEqual([report.lostRanges, report.lostKeys, report.remaining], [[], [], []]);
  await assertState(host, states, COMMITS, COMMITS);
  const other = await machine({}, undefined, 10, 2);
  await assert.rejects(repair(other.host, { backup }), steleError('corrupt', 'WRONG_DATABASE'));
});

/** Rots a record that is durable and lies behind the newest meta. */
function rotTail(host: FaultyHost): void {
  const { logSegment, logOffset } = metaOf(host);
  const name = `log-${String(logSegment).padStart(6, '0')}.seg`;
  rot(host, name, logOffset + 6000);
}

test('commits are lost only when the caller agrees, and are named', async () => {
  const { host, states } = await machine();
  rotTail(host);
  await assert.rejects(host.drive(openEngine({ host })), steleError('corrupt', 'LOG_DAMAGED'));
  const before = contents(host);
  await assert.rejects(repair(host), steleError('corrupt', 'LOG_DAMAGED'));
  assert.deepEqual(contents(host), before, 'nothing was touched');
  const report = await repair(host, { cutLogAt: 'damage' });
  const { first, last } = report.lostCommits!;
  assert.ok(first > COMMITS - 10 && last === COMMITS, `${first} to ${last}`);
  assert.equal(report.version, first - 1);
  assert.deepEqual(report.remaining, []);
  assert.ok(report.setAside.some((name) => name.endsWith('.seg')));
  await assertState(host, states, first - 1);
});

test('a backup heals a damaged log, so that nothing is lost', async () => {
  const backup = memoryStorage();
  const { host, states } = await machine();
  {
    const engine = await host.drive(openEngine({ host }));
    await host.drive(engine.backup(backup));
    // A killed process: no clean close, the log goes on.
    await host.drive(engine.put(keyOf(900), text('later')));
    states.push(stateOf(engine));
  }
  const dead = host.killProcess();
  const name = dead.storage.list().filter((each) => each.endsWith('.seg'))[0]!;
  rot(dead, name, 50_000);
  const old = await repair(dead);
  assert.equal(old.isRepaired, false, 'old versions do not keep the database from opening');
  assert.equal(old.remaining.length, 1);
  const healed = await repair(dead, { backup });
  assert.deepEqual(healed.healedSegments, [1]);
  assert.deepEqual(healed.remaining, []);
  await assertState(dead, states, COMMITS + 1);
});

test('a missing segment comes from the backup', async () => {
  const backup = memoryStorage();
  const { host, states } = await machine({}, (engine, own) => own.drive(engine.backup(backup)));
  const name = host.storage.list().filter((each) => each.endsWith('.seg'))[1]!;
  host.storage.remove(name);
  rot(host, 'pages.db', firstPage(host, 1) * 8192 + 3000);
  const report = await repair(host, { backup });
  assert.deepEqual(report.healedSegments, [2]);
  assert.equal(report.base, 'log');
  assert.deepEqual(report.remaining, []);
  await assertState(host, states, COMMITS);
});

test('when nothing is enough the repair says what is missing and touches nothing', async () => {
  const { host } = await machine({ historyRetention: 0, segmentBytes: 64 * 1024 });
  rot(host, 'pages.db', 300);
  rot(host, 'pages.db', 8192 + 300);
  const before = contents(host);
  await assert.rejects(repair(host), steleError('corrupt', 'REPAIR_IMPOSSIBLE'));
  assert.deepEqual(contents(host), before);
});

test('repair refuses an open database, and an unfinished backup', async () => {
  const { host } = await machine();
  const engine = await host.drive(openEngine({ host }));
  await assert.rejects(repair(host), steleError('unavailable', 'LOCKED'));
  await host.drive(engine.close());
  const mark = host.storage.open('unfinished.mark', { create: true });
  mark.write(text('backup\n'), 0, 7, 0);
  mark.close();
  await assert.rejects(repair(host), steleError('corrupt', 'BACKUP_UNFINISHED'));
});

for (const kind of ['memory', 'posix'] as const) {
  test(`repair rebuilds pages, and opens again: ${kind}`, async () => {
    const directory = kind === 'posix' ? mkdtempSync(join(tmpdir(), 'stele-repair-')) : '';
    const host = kind === 'posix' ? posixHost(directory) : memoryHost();
    const engine = await openEngine({ host });
    for (let n = 0; n < 400; n++) await engine.put(keyOf(n), new Uint8Array(n % 50 === 0 ? 20_000 : 200).fill(n), { durability: 'async' });
    const before = stateOf(engine);
    await engine.close();
    const pages = host.storage.open('pages.db');
    // Whatever lies there: leaves, and pages of large values.
    pages.write(new Uint8Array(8192 * 8).fill(0xa5), 0, 8192 * 8, 8192 * 4);
    pages.close();
    const report = await repairDatabase({ host });
    assert.equal(report.isRepaired, true);
    assert.deepEqual(report.remaining, []);
    const again = await openEngine({ host });
    assert.deepEqual(stateOf(again), before);
    assert.deepEqual((await again.verify()).damages, []);
    await again.close();
    await host.threads.close();
    host.storage.close();
    if (directory !== '') rmSync(directory, { recursive: true });
  });
}

test('a repair can be cancelled and leaves everything as it was', async () => {
  const { host } = await machine();
  rot(host, 'pages.db', firstPage(host, 1) * 8192 + 3000);
  const before = contents(host);
  for (let turns = 1; turns < 400; turns *= 3) {
    let left = turns;
    const signal = {
      get aborted() {
        return left-- <= 0;
      },
    };
    await assert.rejects(repair(host, { signal }), steleError('closed', 'CANCELLED'));
    assert.deepEqual(contents(host), before, `after ${turns} turns`);
  }
});

test('a repair that fails half-way undoes itself', async () => {
  const { host, states } = await machine();
  rot(host, 'pages.db', firstPage(host, 1) * 8192 + 3000);
  const before = contents(host);
  for (const after of [0, 2, 5, 9]) {
    host.storage.fail('sync', { after, times: 1 });
    await assert.rejects(repair(host));
    host.storage.clearFaults();
    assert.deepEqual(contents(host), before, `failed after ${after} syncs`);
  }
  await repair(host);
  await assertState(host, states, COMMITS);
});

// Some of them here; the crash rack cuts at every one, and again at one of the repair after it.
test('the power may go at every operation of a repair: it is refused until it is run again, which gives the same', async () => {
  const { host: original, states } = await machine({}, undefined, 20);
  rot(original, 'pages.db', firstPage(original, 1) * 8192 + 3000);
  rotTail(original);
  const cuts: FaultyHost[] = [];
  const host = original.fork({ onOperation: () => cuts.push(host.fork()) });
  const { version } = await repair(host, { cutLogAt: 'damage' });
  const total = cuts.length;
  let refused = 0;
  for (let number = 0; number < total; number += number < 4 || number > total - 6 ? 1 : 13) {
    const after = cuts[number]!.reboot({ seed: number });
    const opened = await after.drive(openEngine({ host: after, cacheMemory: 2 ** 21 })).then(
      () => true,
      (error: unknown) => {
        const { code } = error as SteleError;
        if (code === 'REPAIR_UNFINISHED') refused++;
        else assert.ok(code === 'LOG_DAMAGED' || code === 'PAGE_CHECKSUM', String(error));
        return false;
      },
    );
    const clean = cuts[number]!.reboot({ seed: number });
    if (opened) continue;
    const report = await repair(clean, { cutLogAt: 'damage' });
    assert.equal(report.version, version, `cut ${number} of ${total}`);
    assert.deepEqual(report.remaining, []);
    const engine = await clean.drive(openEngine({ host: clean, cacheMemory: 2 ** 21 }));
    assert.deepEqual(stateOf(engine), states[version], `cut ${number} of ${total}`);
    await clean.drive(engine.close());
  }
  assert.ok(refused > 5, `${refused} refused`);
});

test('the power may go again while an interrupted repair is undone', async () => {
  const { host: original, states } = await machine({}, undefined, 20);
  rot(original, 'pages.db', firstPage(original, 1) * 8192 + 3000);
  const cuts: FaultyHost[] = [];
  const host = original.fork({ onOperation: () => cuts.push(host.fork()) });
  await repair(host);
  for (const share of [0.3, 0.7]) {
    const first = cuts[Math.floor(cuts.length * share)]!.reboot({ seed: 5 });
    const again: FaultyHost[] = [];
    const second = first.fork({ onOperation: () => again.push(second.fork()) });
    assert.equal((await repair(second)).version, COMMITS);
    for (let number = 0; number < again.length; number += 1 + Math.floor(again.length / 4)) {
      const third = again[number]!.reboot({ seed: number });
      const report = await repair(third);
      assert.deepEqual([report.version, report.remaining], [COMMITS, []], `cut ${number} of ${again.length}`);
      const engine = await third.drive(openEngine({ host: third, cacheMemory: 2 ** 21 }));
      assert.deepEqual(stateOf(engine), states[COMMITS]);
      await third.drive(engine.close());
    }
  }
});
