import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkAddresses,
  fromStart,
  logOptions,
  type ModelCommit,
  recoverAndCheck,
  rng,
  snapshot,
  writeProgram,
} from '../../test/log/kit.ts';
import { SteleError } from '../base/errors.ts';
import { faultyStorage } from '../host/faulty/storage.ts';
import { Log } from './log.ts';
import { decodeSegmentHeader, encodeSegmentHeader } from './segment-header.ts';
import { decodeSegmentTable, encodeSegmentTable } from './segment-table.ts';

test('a spare is prepared in slices and taken by the next segment', () => {
  const storage = faultyStorage();
  const options = logOptions(storage);
  const log = Log.create(options);
  const random = rng(1);
  let slices = 0;
  while (log.prepareSpare(10_000)) slices++;
  assert.ok(slices >= 6);
  assert.equal(storage.list().length, 2);
  const models: ModelCommit[] = [];
  while (log.headSegment < 2) models.push(...writeProgram(log, random, 2, { large: false }));
  assert.equal(storage.list().length, 2);
  log.close();
  recoverAndCheck(fromStart(options), models).close();
});

test('dropped segments are used again with a new generation, or removed when a spare is there', () => {
  const options = logOptions();
  const log = Log.create(options);
  const random = rng(2);
  const models: ModelCommit[] = [];
  while (log.headSegment < 6) models.push(...writeProgram(log, random, 2, { large: false }));
  log.syncNow();
  const before = options.storage.list().length;
  log.dropSegment(1);
  log.dropSegment(2);
  log.dropSegment(2);
  assert.equal(options.storage.list().length, before - 1);
  while (log.headSegment < 7) models.push(...writeProgram(log, random, 2, { large: false }));
  assert.equal(log.segments().find((info) => info.number === 7)!.generation, 7);
  checkAddresses(
    log,
    models.filter((model) => model.segment > 2),
  );
  const { number, firstCommit } = log.segments()[0]!;
  assert.equal(number, 3);
  log.syncNow();
  const segments = log.segments();
  const from = { segment: 3, offset: 256 };
  log.close();
  const first = models.findIndex((model) => model.segment > 2);
  assert.ok(models[first]!.commit - firstCommit <= 1);
  const header = Log.recover(
    {
      ...fromStart(options),
      from: { segment: segments.at(-1)!.number, offset: 256 },
      fromCommit: segments.at(-1)!.firstCommit - 1,
      fromChecksum: models[segments.at(-1)!.firstCommit - 2]!.checksum,
      segments,
    },
    () => {},
  );
  assert.deepEqual(
    header.segments().map((info) => info.number),
    segments.map((info) => info.number),
  );
  checkAddresses(header, models.slice(first));
  assert.equal(from.segment, 3);
});

test('what does not fit a segment gets one of its own size', () => {
  const options = logOptions();
  const log = Log.create(options);
  const models = writeProgram(log, rng(3), 40, { large: true });
  const sizes = log.segments().map((info) => info.fileBytes);
  assert.ok(sizes.some((bytes) => bytes > options.segmentBytes));
  log.close();
  checkAddresses(recoverAndCheck(fromStart(options), models), models);
});

test('a file of another kind, a cut one and one with a torn header are no segments', () => {
  const options = logOptions();
  const log = Log.create(options);
  const models = writeProgram(log, rng(4), 5, { large: false });
  log.close();
  const put = (name: string, bytes: Uint8Array): void => {
    const file = options.storage.open(name, { create: true });
    file.write(bytes, 0, bytes.length, 0);
    file.close();
  };
  put('log-000007.seg', new Uint8Array(100));
  put('log-000008.seg', new Uint8Array(5000).fill(9));
  put('log-9.seg', new Uint8Array(5000).fill(9));
  const again = recoverAndCheck(fromStart(options), models);
  assert.deepEqual(options.storage.list(), ['log-000001.seg', 'log-000007.seg', 'log-9.seg']);
  const more: ModelCommit[] = [];
  while (again.headSegment < 3) more.push(...writeProgram(again, rng(5), 2, { large: false }));
  assert.deepEqual(
    again.segments().map((info) => info.slot),
    [1, 7, 9],
  );
});

test('headers and tables return what was put in, and a newer header is refused', () => {
  const header = {
    readOnlyFeatures: 0,
    number: 7,
    generation: 3,
    databaseId: new Uint8Array(16).fill(1),
    incarnation: new Uint8Array(16).fill(2),
    epoch: new Uint8Array(8).fill(3),
    firstCommit: 2 ** 40,
    previousEnd: 0xfffe_0000,
    previousChecksum: 0xdead_beef,
    createdMs: 1_700_000_000_000,
    secret: new Uint8Array(32).fill(4),
    fileBytes: 2 ** 26,
  };
  const bytes = encodeSegmentHeader(header);
  assert.deepEqual(decodeSegmentHeader(bytes), header);
  for (let i = 0; i < 256; i++) {
    const flipped = bytes.slice();
    flipped[i]! ^= 4;
    assert.equal(decodeSegmentHeader(flipped), undefined);
  }
  const segments = [
    { number: 1, slot: 4, generation: 2, firstCommit: 1, lastCommit: 10, bytes: 5000, fileBytes: 65536, sealed: true },
    { number: 3, slot: 1, generation: 1, firstCommit: 11, lastCommit: 10, bytes: 256, fileBytes: 65536, sealed: false },
  ];
  const table = encodeSegmentTable(segments);
  assert.deepEqual(decodeSegmentTable(table), segments);
  assert.throws(
    () => decodeSegmentTable(table.subarray(0, table.length - 1)),
    (error: unknown) => error instanceof SteleError && error.code === 'SEGMENT_TABLE_DAMAGED',
  );
});

test('a removed segment file that comes back is not taken for the one that has its number now', () => {
  const options = logOptions();
  const random = rng(6);
  const log = Log.create(options);
  const models: ModelCommit[] = [];
  while (log.headSegment < 2) models.push(...writeProgram(log, random, 2, { large: false }));
  log.close();
  const old = snapshot(options.storage);
  // The last commits of segment 1 are torn, so segment 2 goes.
  const victim = models.filter((model) => model.segment === 1).at(-2)!;
  const file = options.storage.open('log-000001.seg');
  file.write(Uint8Array.of(1, 2, 3, 4), 0, 4, victim.offset);
  const kept = models.slice(0, victim.commit - 1);
  const again = recoverAndCheck(fromStart(options), kept);
  while (again.headSegment < 2) kept.push(...writeProgram(again, random, 2, { large: false }));
  again.syncNow();
  again.close();
  const names = options.storage.list();
  const returned = options.storage.open('log-000009.seg', { create: true });
  const bytes = old.get('log-000002.seg')!;
  returned.write(bytes, 0, bytes.length, 0);
  returned.close();
  const last = recoverAndCheck(fromStart(options), kept);
  assert.equal(last.segments().length, 2);
  assert.deepEqual(names, ['log-000001.seg', 'log-000002.seg']);
});
