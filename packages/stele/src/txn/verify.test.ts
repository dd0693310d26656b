/** Verification finds what rots, names it, and goes on behind it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteleError } from '../base/errors.ts';
import { type FaultyHost, faultyHost } from '../host/faulty/host.ts';
import { memoryHost } from '../host/memory/host.ts';
import { headerAt } from '../log/header-job.ts';
import { Bitmap } from '../pager/bitmap.ts';
import { encodeBlob, readBlob } from '../pager/blob.ts';
import { BLOB_USED_PAGES, encodeMeta, type Meta } from '../pager/meta.ts';
import { PageFile } from '../pager/page-file.ts';
import { openEngine } from './engine.ts';
import type { Damage, Engine, VerifyReport } from './types.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const keyOf = (n: number): Uint8Array => text(`\u0002key/${String(n).padStart(6, '0')}`);

interface Machine {
  readonly host: FaultyHost;
  readonly engine: Engine;
  readonly meta: Meta;
}

/** A flushed database of several levels with history, large values and several segments. */
async function machine(): Promise<Machine> {
  const host = faultyHost({ seed: 1 });
  const engine = await host.drive(openEngine({ host, segmentBytes: 256 * 1024, pageSize: 8192 }));
  for (let n = 0; n < 240; n++)
    await host.drive(
      engine.batch(
        Array.from({ length: 20 }, (_, k) => ({
          type: 'put' as const,
          key: keyOf((n * 20 + k) % 3000),
          value: new Uint8Array(80).fill(n),
        })),
        { durability: 'async' },
      ),
    );
  await host.drive(engine.put(keyOf(5000), new Uint8Array(60_000).fill(9), { meta: [text('who')], assertedTimeMs: 5 }));
  await host.drive(engine.compact());
  await host.drive(engine.flush());
  const file = PageFile.open({ storage: host.storage, hashing: host.hashing, readOnly: true });
  file.close();
  return { host, engine, meta: file.meta };
}

const verify = ({ host, engine }: Machine): Promise<VerifyReport> => host.drive(engine.verify());

/** Damages after one bit of a file rotted. */
async function afterFlip(it: Machine, name: string, offset: number): Promise<readonly Damage[]> {
  it.host.storage.flipBit(name, offset, 3);
  const report = await verify(it);
  it.host.storage.flipBit(name, offset, 3);
  assert.equal(report.ok, report.damages.length === 0);
  return report.damages;
}

test('verify() of a sound database finds nothing and counts everything', async () => {
  const it = await machine();
  const report = await verify(it);
  assert.deepEqual(report.damages, []);
  assert.equal(report.ok, true);
  assert.equal(report.entries, 3001);
  assert.equal(report.commits, 241);
  assert.ok(report.pages > 50 && report.logBytes > 500_000);
  await it.host.drive(it.engine.close());
});

test('verify() while others write finds nothing', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host, segmentBytes: 256 * 1024, cacheMemory: 4 * 1024 * 1024 });
  let written = 0;
  for (; written < 2000; written++) await engine.put(keyOf(written % 900), new Uint8Array(100).fill(written), { durability: 'async' });
  for (let round = 0; round < 3; round++) {
    let isDone = false;
    const verifying = engine.verify().finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const large = written % 20 === 0;
      engine.putSync(keyOf(written % 900), new Uint8Array(large ? 25_000 : 100).fill(written), { durability: 'async' });
      if (written++ % 40 === 0) void engine.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual((await verifying).damages, []);
  }
  await engine.close();
});

test('verify() names the page, whatever kind of page rots, and still counts the rest', async () => {
  const it = await machine();
  const { meta } = it;
  const kinds = new Map<number, number>();
  const bytes = it.host.storage.peek('pages.db');
  const file = PageFile.open({ storage: it.host.storage, hashing: it.host.hashing, readOnly: true });
  const used = Bitmap.decode(readBlob(file, meta.blobs[BLOB_USED_PAGES]!));
  file.close();
  for (let page = 2; page < meta.pageCount; page++) if (used.has(page)) kinds.set(bytes[page * meta.pageBytes + 6]!, page);
  assert.deepEqual([...kinds.keys()].sort(), [1, 2, 3, 4], 'leaf, inner, overflow and blob pages');
  for (const [kind, page] of kinds) {
    const damages = await afterFlip(it, 'pages.db', page * meta.pageBytes + 2000);
    assert.equal(damages.length, 1, `kind ${kind}: ${JSON.stringify(damages)}`);
    assert.equal(damages[0]!.where, 'page');
    assert.equal(damages[0]!.detail['pageId'], page);
  }
  await it.host.drive(it.engine.close());
});

test('verify() names a meta slot, whichever of the two rots', async () => {
  const it = await machine();
  for (const slot of [0, 1]) {
    const damages = await afterFlip(it, 'pages.db', slot * it.meta.pageBytes + 200);
    assert.deepEqual(
      damages.map((damage) => [damage.where, damage.detail['slot']]),
      [['meta', slot]],
    );
  }
  await it.host.drive(it.engine.close());
});

test('verify() names the commits of a rotten record, and the segment of a rotten header', async () => {
  const it = await machine();
  const name = it.host.storage.list().find((file) => file.endsWith('.seg'))!;
  const rotten = await afterFlip(it, name, 100_000);
  assert.equal(rotten.length, 1, JSON.stringify(rotten));
  assert.equal(rotten[0]!.where, 'log');
  const { first, last } = rotten[0]!.detail['commits'] as { first: number; last: number };
  assert.ok(first === last && first > 1 && first < 240, `commit ${first} to ${last}`);
  const header = await afterFlip(it, name, 40);
  assert.equal(header[0]!.where, 'segment');
  assert.equal(header[0]!.detail['segment'], 1);
  await it.host.drive(it.engine.close());
});

// What was lost before the opening looked like what retention had let go: changes() said HISTORY_EXPIRED, verify() nothing.
test('an older segment that is lost is damage after reopening, whether its header rots or its file is gone', async () => {
  const it = await machine();
  const { host } = it;
  await host.drive(it.engine.close());
  const options = { host, segmentBytes: 256 * 1024 };
  for (const lose of ['header', 'file'] as const) {
    const after = host.fork();
    if (lose === 'header') after.storage.flipBit('log-000002.seg', 40, 3);
    else after.storage.remove('log-000002.seg');
    for (const times of [1, 2]) {
      const engine = await after.drive(openEngine({ ...options, host: after }));
      const report = await after.drive(engine.verify());
      const told = report.damages.find((damage) => damage.where === 'segment');
      assert.ok(told !== undefined && told.detail['segment'] === 2, `${lose}, opening ${times}: ${JSON.stringify(report.damages)}`);
      const { first, last } = told.detail['commits'] as { first: number; last: number };
      assert.ok(first > 1 && last < engine.version && first < last, `${first} to ${last}`);
      for (const from of [0, first - 2, first - 1, first, last - 1])
        assert.throws(
          () => [...engine.changes(from)],
          (error) => error instanceof SteleError && error.code === 'SEGMENT_MISSING' && error.detail['segment'] === 2,
          `${lose}: changes(${from})`,
        );
      assert.equal([...engine.changes(last)].length, engine.version - last);
      // The table of a new meta still tells.
      await after.drive(engine.put(text('\u0002new'), text(`${times}`)));
      await after.drive(engine.close());
    }
  }
});

test('verify() names the commit of a rotten index entry, and of a header that is not its record\u2019s', async () => {
  const it = await machine();
  const index = await afterFlip(it, 'commits.idx', 256 + 24 * 99 + 3);
  assert.deepEqual(
    index.map((damage) => [damage.where, damage.detail['commits']]),
    [['index', { first: 100, last: 100 }]],
  );
  await it.host.drive(it.engine.compact());
  const header = await afterFlip(it, 'headers.dat', headerAt(77) + 60);
  assert.deepEqual(
    header.map((damage) => [damage.where, damage.detail['commit']]),
    [['headers', 77]],
  );
  const whole = await afterFlip(it, 'headers.dat', 20);
  assert.deepEqual(
    whole.map((damage) => damage.where),
    ['headers'],
  );
  await it.host.drive(it.engine.close());
});

test('verify() finds pages that nobody uses, or that are marked free in use', async () => {
  const it = await machine();
  const { host, engine } = it;
  await host.drive(engine.close());
  const file = PageFile.open({ storage: host.storage, hashing: host.hashing });
  const { blobs, commit, pageBytes } = file.meta;
  const blob = blobs[BLOB_USED_PAGES]!;
  const used = Bitmap.decode(readBlob(file, blob));
  const free = used.nextClear(2);
  const taken = file.meta.rootPage;
  used.set(free);
  used.clear(taken);
  const wrong = encodeBlob(file, used.encode(), { firstPage: blob.firstPage, commit });
  const raw = host.storage.open('pages.db');
  raw.write(wrong.buffer, 0, wrong.buffer.length, blob.firstPage * pageBytes);
  const changed = {
    ...file.meta,
    pageCount: Math.max(file.meta.pageCount, free + 1),
    blobs: blobs.map((each, i) => (i === BLOB_USED_PAGES ? wrong.blob : each)),
  };
  raw.write(encodeMeta(changed), 0, 512, (file.meta.sequence % 2) * pageBytes);
  if (raw.size() < (free + 1) * pageBytes) raw.truncate((free + 1) * pageBytes);
  raw.close();
  file.close();
  const again = await host.drive(openEngine({ host, readOnly: true }));
  const { damages } = await host.drive(again.verify());
  assert.deepEqual(
    damages.map((damage) => [damage.detail['code'], damage.detail['pageId']]).sort(),
    [
      ['leaked', free],
      ['unmarked', taken],
    ].sort(),
  );
  await host.drive(again.close());
});
