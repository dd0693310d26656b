/**
 * What the formats reserve is refused, field by field, in real files: docs/format-review.md has the list this follows.
 *
 * Each case sets one reserved byte, unknown flag, kind, version or feature in files the engine has written, with every checksum
 * right, and opens, reads or verifies them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeU32 } from '../../src/base/bytes.ts';
import { crc32 } from '../../src/base/crc32.ts';
import { SteleError } from '../../src/base/errors.ts';
import { KIND_COMMIT, KIND_GROUP, KIND_KEPT_RANGES } from '../../src/log/record-format.ts';
import { BLOB_KEPT_RANGES, BLOB_SEGMENT_TABLE } from '../../src/pager/meta.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { decodeSpine, growSpine } from '../../src/txn/spine.ts';
import type { Engine } from '../../src/txn/types.ts';
import { type Files, filesOf, keyOf, machine, sample, storageOf, text } from './kit.ts';
import { type Change, changeBlob, changeHeader, changeMeta, changePage, changeRecord, metaOf, set } from './reseal.ts';

const SEGMENT = 'log-000001.seg';

/** Closed, root is a leaf: key a with a past and an expiry, key b with an overflow run. */
const closed = await closedFiles('two keys');
/** Closed, with inner pages. */
const tall = await closedFiles('history');
/** Never flushed: everything is replayed. */
const open = await unflushed();

async function closedFiles(kind: 'two keys' | 'history'): Promise<Files> {
  const it = machine();
  await sample(kind, it);
  return filesOf(it.host.storage);
}

async function unflushed(): Promise<Files> {
  const { host } = machine();
  const engine = await openEngine({ host, segmentBytes: 64 * 1024 });
  engine.putSync(keyOf('a'), text('one'));
  engine.setRetention({ rules: [{ prefix: new Uint8Array(0), historyMs: 1e12 }] });
  engine.putSync(keyOf('a'), text('two'));
  const files = filesOf(host.storage);
  await engine.close();
  return files;
}

/** Opens the files and does `work`; the code of the refusal, or what was done. */
async function outcome(files: Files, work: (engine: Engine) => unknown, options: { readOnly?: boolean } = {}): Promise<unknown> {
  const { host } = machine(storageOf(files));
  let engine: Engine | undefined;
  try {
    engine = await openEngine({ host, cacheMemory: 2 ** 20, ...options });
    return await work(engine);
  } catch (error) {
    assert.ok(error instanceof SteleError && error.kind !== 'internal', String(error instanceof Error ? error.stack : error));
    return error.code;
  } finally {
    await engine?.close().catch(() => {});
  }
}

const read = (engine: Engine): string => {
  [...engine.scan()];
  return 'read';
};
const history = (engine: Engine): string => {
  [...engine.history(keyOf('a'))];
  return 'read';
};
const verified = async (engine: Engine): Promise<string> => {
  const { damages } = await engine.verify();
  return damages[0]?.where ?? 'sound';
};

async function refused(what: string, files: Files, code: string, work: (engine: Engine) => unknown = read): Promise<void> {
  assert.equal(await outcome(files, work), code, what);
  assert.equal(await outcome(files, work, { readOnly: true }), code, `${what}, read only`);
}

test('the files as they were written are read', async () => {
  for (const files of [closed, tall, open]) {
    assert.equal(await outcome(files, read), 'read');
    assert.equal(await outcome(files, history), 'read');
    assert.equal(await outcome(files, verified), 'sound');
  }
});

test('segment header: version, incompatible features and reserved bytes are refused, compatible features are not', async () => {
  const fields: [string, Change][] = [
    ['version', set(8, 2)],
    ['incompatible feature', set(23, 0x80)],
    ...[10, 11, 78, 79, 94, 95, 134, 135, 136, 151, 152, 163, 164, 179, 183, 184, 251].map((at): [string, Change] => [
      `byte ${at}`,
      set(at, 1),
    ]),
  ];
  for (const [what, change] of fields) await refused(what, changeHeader(closed, SEGMENT, change), 'FORMAT_NEWER');
  assert.equal(await outcome(changeHeader(closed, SEGMENT, set(12, 1)), read), 'read');
  const readable = changeHeader(closed, SEGMENT, set(16, 1));
  assert.equal(await outcome(readable, read), 'FORMAT_NEWER');
  assert.equal(await outcome(readable, read, { readOnly: true }), 'read');
});

test('records: reserved and unknown kinds and flags are damage at once, never skipped', async () => {
  const commit = (kind: number): boolean => kind === KIND_COMMIT;
  for (const kind of [0, 6, 7, 9, 255]) await refused(`kind ${kind}`, changeRecord(open, commit, set(12, kind)), 'LOG_DAMAGED');
  for (const flag of [16, 32, 64, 128]) await refused(`flag ${flag}`, changeRecord(open, commit, set(13, flag)), 'LOG_DAMAGED');
  for (const flag of [1, 16, 128])
    await refused(
      `group flag ${flag}`,
      changeRecord(open, (kind) => kind === KIND_GROUP, set(13, flag)),
      'LOG_DAMAGED',
    );
  for (const flag of [1, 128])
    await refused(
      `mark flag ${flag}`,
      changeRecord(open, (kind) => kind === KIND_KEPT_RANGES, set(13, flag)),
      'LOG_DAMAGED',
    );
});

test('operations: reserved and contradicting flags are refused while replaying and while reading one', async () => {
  const commit = (kind: number): boolean => kind === KIND_COMMIT;
  for (const flags of [64, 128, 8, 1 + 2, 1 + 16]) {
    await refused(`flags ${flags}`, changeRecord(open, commit, set(26, flags)), 'LOG_DAMAGED');
    await refused(`flags ${flags}`, changeRecord(closed, commit, set(26, flags)), 'RECORD_DAMAGED', history);
  }
  for (const kind of [6, 7]) await refused(`kind ${kind}`, changeRecord(closed, commit, set(12, kind)), 'RECORD_DAMAGED', history);
  for (const flag of [16, 128]) await refused(`flag ${flag}`, changeRecord(closed, commit, set(13, flag)), 'RECORD_DAMAGED', history);
});

test('commit index and headers: version, features and reserved bytes', async () => {
  for (const [at, value] of [
    [8, 2],
    [10, 1],
    [12, 1],
    [15, 0x80],
    [32, 1],
    [251, 1],
  ] as const) {
    await refused(`index byte ${at}`, changeHeader(closed, 'commits.idx', set(at, value)), 'FORMAT_NEWER');
    if (tall.has('headers.dat'))
      assert.equal(await outcome(changeHeader(tall, 'headers.dat', set(at, value)), verified), 'headers', `headers byte ${at}`);
  }
  assert.ok(tall.has('headers.dat'));
});

test('meta: version, features, reserved bytes and spare blobs are refused, not passed over for the older slot', async () => {
  const fields: [string, Change][] = [
    ['version', set(8, 2)],
    ['incompatible feature', set(27, 0x80)],
    ...[10, 82, 88, 119, 134, 142, 150, 158, 187, 198, 206, 214, 274, 309, 316, 507].map((at): [string, Change] => [
      `byte ${at}`,
      set(at, 1),
    ]),
    ['clean-close mark', set(308, 2)],
    ['spare blob', (b) => b.copyWithin(268, 208, 228)],
    ['last spare blob', (b) => b.copyWithin(288, 208, 228)],
  ];
  for (const [what, change] of fields) await refused(what, changeMeta(closed, change), 'FORMAT_NEWER');
  assert.equal(await outcome(changeMeta(closed, set(16, 1)), read), 'read');
  const readable = changeMeta(closed, set(20, 1));
  assert.equal(await outcome(readable, read), 'FORMAT_NEWER');
  assert.equal(await outcome(readable, read, { readOnly: true }), 'read');
});

test('page header: unknown types and flags, reserved bytes', async () => {
  const { rootPage } = metaOf(closed);
  for (const [at, value] of [
    [6, 5],
    [6, 0],
    [20, 1],
    [23, 0x80],
    [30, 1],
    [32, 1],
    [47, 1],
    [48, 1],
    [79, 1],
  ] as const)
    await refused(`byte ${at}`, changePage(closed, rootPage, set(at, value)), 'PAGE_INVALID');
});

test('inner records: reserved summaries and bytes', async () => {
  const { rootPage, height, pageBytes } = metaOf(tall);
  assert.ok(height > 1);
  const record = firstRecord(tall, rootPage, pageBytes);
  for (const [at, value] of [
    [6, 1],
    [18, 2],
    [18, 4],
    [18, 8],
    [19, 0x80],
  ] as const)
    await refused(`byte ${at}`, changePage(tall, rootPage, set(record + at, value)), 'PAGE_INVALID');
});

test('leaf records: reserved flags, reserved bytes of optional fields, large references of unknown kind', async () => {
  const { rootPage, pageBytes } = metaOf(closed);
  const record = firstRecord(closed, rootPage, pageBytes);
  const bytes = closed.get('pages.db')!.subarray(rootPage * pageBytes, (rootPage + 1) * pageBytes);
  const flags = bytes[record]!;
  assert.equal(flags & (2 + 4 + 8 + 64), 2 + 8, 'the entry of a has an expiry and a past');
  for (const flag of [0x08, 0x10, 0x20, 0x40, 0x80])
    await refused(
      `flag ${flag}00`,
      changePage(closed, rootPage, (b) => void (b[record + 1]! |= flag)),
      'PAGE_INVALID',
    );
  for (const at of [12 + 6, 12 + 8 + 6, 12 + 8 + 18])
    await refused(`byte ${at}`, changePage(closed, rootPage, set(record + at, 1)), 'PAGE_INVALID');
  const reference = largeReference(closed);
  for (const [at, value] of [
    [4, 0],
    [4, 3],
    [5, 1],
    [6, 1],
    [7, 1],
    [14, 1],
    [15, 1],
  ] as const)
    await refused(`reference byte ${at}`, changePage(closed, rootPage, set(reference + at, value)), 'PAGE_INVALID');
});

test('overflow and blob pages: flags and reserved bytes', async () => {
  const meta = metaOf(closed);
  const run = new DataView(closed.get('pages.db')!.buffer).getUint32(meta.rootPage * meta.pageBytes + largeReference(closed) + 8, true);
  for (const at of [20, 30, 32, 79]) {
    await refused(`overflow byte ${at}`, changePage(closed, run, set(at, 1)), 'PAGE_INVALID');
    await refused(`blob byte ${at}`, changePage(closed, meta.blobs[BLOB_KEPT_RANGES]!.firstPage, set(at, 1)), 'PAGE_INVALID');
  }
});

test('kept ranges: version and reserved bytes, in a meta and in the log', async () => {
  for (const [at, value] of [
    [4, 2],
    [14, 1],
    [19, 1],
    [-1, 2],
  ] as const) {
    const change: Change = (b) => void (b[at < 0 ? b.length + at : at] = value);
    await refused(`byte ${at}`, changeBlob(closed, BLOB_KEPT_RANGES, change), 'FORMAT_NEWER');
    const inMark: Change = (b) => change(b.subarray(26));
    await refused(
      `mark byte ${at}`,
      changeRecord(open, (kind) => kind === KIND_KEPT_RANGES, inMark),
      'FORMAT_NEWER',
    );
  }
  await refused('magic', changeBlob(closed, BLOB_KEPT_RANGES, set(0, 0)), 'KEPT_DAMAGED');
});

test('segment table: version, flags and reserved bytes', async () => {
  for (const [at, value] of [
    [8, 2],
    [10, 1],
    [16 + 34, 2],
    [16 + 34, 128],
    [16 + 35, 1],
  ] as const) {
    const change: Change = (b) => {
      b[at] = value;
      writeU32(b, b.length - 4, crc32(b, 0, b.length - 4, 0));
    };
    await refused(`byte ${at}`, changeBlob(closed, BLOB_SEGMENT_TABLE, change), 'FORMAT_NEWER');
  }
});

test('commit headers: version, algorithms and kind are compared whole', async () => {
  for (const at of [0, 1, 2, 35, 43]) {
    const bytes = tall.get('headers.dat')!.slice();
    bytes[256 + at]! ^= 2;
    assert.equal(await outcome(new Map(tall).set('headers.dat', bytes), verified), 'headers', `byte ${at}`);
  }
});

test('version tables: unknown kinds, levels and lengths', () => {
  const good = growSpine(undefined, { commit: 7, addressCommit: 7, ordinal: 0, carried: false }).spine;
  assert.equal(decodeSpine(good, 0, good.length).index, 1);
  const wrongs: [string, Uint8Array][] = [
    ['kind 0', Uint8Array.of(0, ...good.subarray(1))],
    ['kind 3', Uint8Array.of(3, ...good.subarray(1))],
    ['levels', Uint8Array.of(1, 1, 11, ...good.subarray(3))],
    ['a list of 33', Uint8Array.of(1, 1, 1, 33, ...good.subarray(4))],
    ['bytes behind', Uint8Array.of(...good, 0)],
    ['cut', good.subarray(0, good.length - 1)],
    ['nothing', new Uint8Array(0)],
  ];
  for (const [what, bytes] of wrongs)
    assert.throws(() => decodeSpine(bytes, 0, bytes.length), { kind: 'corrupt', code: 'SPINE_DAMAGED' }, what);
});

test('keyspaces: only 1, 2 and 3 are taken', async () => {
  for (const code of [0, 4, 127, 255])
    assert.equal(await outcome(closed, (engine) => engine.put(Uint8Array.of(code, 65), text('x'))), 'KEY_INVALID', `keyspace ${code}`);
});

/** Of slot 0: where its record stands in the page. */
function firstRecord(files: Files, page: number, pageBytes: number): number {
  const view = new DataView(files.get('pages.db')!.buffer, page * pageBytes, pageBytes);
  const prefix = view.getUint16(18, true);
  return view.getUint16(80 + ((prefix + 3) & ~3) + 4, true);
}

/** Of key b in the root leaf: where its 20 bytes stand. */
function largeReference(files: Files): number {
  const { rootPage, pageBytes } = metaOf(files);
  const view = new DataView(files.get('pages.db')!.buffer, rootPage * pageBytes, pageBytes);
  const prefix = view.getUint16(18, true);
  const record = view.getUint16(80 + ((prefix + 3) & ~3) + 8 + 4, true);
  assert.equal(view.getUint16(record, true), 32, 'nothing but a large reference');
  return record + 12 + view.getUint16(record + 2, true);
}
