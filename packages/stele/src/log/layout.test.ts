/** The bytes themselves, read with nothing of ours: what spec/log-format.md says must be what stands in the file. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { databaseId, logOptions, rng, snapshot } from '../../test/log/kit.ts';
import { Log } from './log.ts';
import { KIND_CLEAN_CLOSE } from './record-format.ts';
import { operationBytesBound, RECORD_BYTES_OVERHEAD } from './sizes.ts';

const u32 = (...values: number[]): Buffer => {
  const out = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) out.writeUInt32LE(value, 4 * i);
  return out;
};
const u48 = (value: number): Buffer => {
  const out = Buffer.alloc(6);
  out.writeUIntLE(value, 0, 6);
  return out;
};

/** A record with its checksum, as the specification describes it. */
function record(offset: number, chain: number, kind: number, flags: number, commit: number, time: number, body: Buffer): Buffer {
  const rest = Buffer.concat([u32(chain, 26 + body.length), Buffer.of(kind, flags), u48(commit), u48(time), body]);
  return Buffer.concat([u32(crc32(rest, crc32(Buffer.concat([databaseId, u32(1, 1, offset)])))), rest]);
}

test('a segment holds exactly the bytes the specification draws', () => {
  const options = logOptions();
  const log = Log.create(options);
  const time = 0x0102_0304_0506;
  const text = (s: string): Uint8Array => new TextEncoder().encode(s);
  log.reserve(1000);
  log.beginCommit(1, time, 1);
  log.put(text('key'), 3, text('value'), 0, 5, 0, 0, 0, false, undefined);
  log.endCommit();
  const first = log.lastChecksum;
  log.reserve(20_000);
  log.beginCommit(2, time + 1, 3);
  log.setMeta(77, [text('who'), text('')]);
  const large = new Uint8Array(16 * 1024 + 1).fill(0xab);
  log.put(text('a'), 1, large, 0, large.length, 9000, 0, 0, false, undefined);
  assert.equal(log.carry(1, false, 0, 0, 0, false, undefined, text('old'), 0, 3), 0);
  log.delete(text('key'), 3, 1, 0, false, Uint8Array.of(1, 2, 3));
  log.put(text('key2'), 4, text(''), 0, 0, 0, 2, 0, true, undefined);
  log.endCommit();
  const second = log.lastChecksum;
  log.writeGroup();
  log.syncNow();
  log.appendMark(KIND_CLEAN_CLOSE, time + 2, new Uint8Array(0));
  log.writeGroup();
  const file = Buffer.from(snapshot(options.storage).get('log-000001.seg')!);

  const header = Buffer.concat([
    Buffer.from('STELELOG'),
    Buffer.of(1, 0, 0, 0),
    u32(0, 0, 0, 1, 1),
    databaseId,
    Buffer.alloc(16, 7),
    Buffer.alloc(8, 9),
    u48(1),
    Buffer.alloc(2),
    u32(0, 0),
    u48(1_700_000_000_000),
    Buffer.alloc(2),
    Buffer.alloc(32, 1),
    u48(65536),
    Buffer.alloc(118),
  ]);
  assert.deepEqual(file.subarray(0, 256), Buffer.concat([header, u32(crc32(header))]));

  const one = record(302, 0, 2, 0, 1, time, Buffer.concat([Buffer.of(0, 3), Buffer.from('key'), Buffer.of(5), Buffer.from('value')]));
  assert.equal(one.readUInt32LE(0), first);
  const at = 302 + one.length;
  const seed = crc32(u48(2), crc32(Buffer.concat([databaseId, u32(1, 1, at)])));
  const meta = Buffer.concat([u48(77), Buffer.of(2, 3), Buffer.from('who'), Buffer.of(0)]);
  const operations = [
    Buffer.concat([
      Buffer.of(2 | 16, 1),
      Buffer.from('a'),
      u48(9000),
      Buffer.of(0x81, 0x80, 0x01, 0),
      u32(crc32(large.subarray(0, 16384)), crc32(large.subarray(16384))),
    ]),
    Buffer.concat([Buffer.of(1 | 4 | 32, 3), Buffer.from('key'), Buffer.of(1, 0, 3, 1, 2, 3)]),
    Buffer.concat([Buffer.of(4 | 8, 4), Buffer.from('key2'), Buffer.of(0, 0, 0)]),
  ];
  const carried = Buffer.concat([Buffer.of(0), u48(1), Buffer.of(3), Buffer.from('old')]);
  let offset = 26 + meta.length;
  const table: Buffer[] = [...operations, carried].map((bytes, i) => {
    const entry = u32(offset, crc32(bytes, crc32(u32(i === 3 ? 0x8000_0000 : i), seed)));
    offset += bytes.length;
    return entry;
  });
  const two = record(at, first, 2, 15, 2, time + 1, Buffer.concat([meta, ...operations, carried, ...table, u32(3, 1, large.length)]));
  assert.equal(two.readUInt32LE(0), second);
  const end = at + two.length + large.length;
  const group = record(256, 0, 1, 0, 1, time, Buffer.concat([u32(1, 256), Buffer.alloc(8, 9), u32(end - 256)]));
  assert.deepEqual(file.subarray(256, end), Buffer.concat([group, one, two, large]));

  const next = Math.ceil(end / 8) * 8;
  const close = record(next + 46, second, 5, 0, 2, time + 2, Buffer.alloc(0));
  const lastGroup = record(next, second, 1, 0, 2, time + 2, Buffer.concat([u32(1, end), Buffer.alloc(8, 9), u32(46 + 26)]));
  assert.deepEqual(file.subarray(end, next + 72), Buffer.concat([Buffer.alloc(next - end), lastGroup, close]));
  assert.ok(file.subarray(next + 72).every((byte) => byte === 0));
});

test('single puts in groups of ten take at most 1.35 bytes of log per logical byte', () => {
  const log = Log.create(logOptions(undefined, { segmentBytes: 1024 * 1024 }));
  const random = rng(1);
  const key = new Uint8Array(20);
  const value = new Uint8Array(100);
  for (let i = 1; i <= 2000; i++) {
    log.reserve(RECORD_BYTES_OVERHEAD + operationBytesBound(20, 100, 0));
    log.beginCommit(i, i, 1);
    log.put(key, 20, value, 0, 100, 0, i > 1 ? 1 + Math.floor(random() * (i - 1)) : 0, 0, false, undefined);
    log.endCommit();
    if (i % 10 === 0) log.writeGroup();
  }
  assert.equal(log.headSegment, 1);
  assert.ok((log.headOffset - 256) / (2000 * 120) <= 1.35, `${(log.headOffset - 256) / (2000 * 120)}`);
});

test('the size bounds are never too small', () => {
  const random = rng(2);
  for (const valueBytes of [0, 1, 127, 128, 16 * 1024, 16 * 1024 + 1, 200_000]) {
    for (const keyBytes of [1, 127, 128, 1100]) {
      for (const table of [undefined, new Uint8Array(300)]) {
        const log = Log.create(logOptions());
        const count = 1 + Math.floor(random() * 3);
        log.reserve(RECORD_BYTES_OVERHEAD + count * operationBytesBound(keyBytes, valueBytes, table?.length ?? 0));
        log.beginPart(1, 1);
        for (let i = 0; i < count; i++)
          log.put(new Uint8Array(keyBytes).fill(i), keyBytes, new Uint8Array(valueBytes), 0, valueBytes, 2 ** 47, 0, 0, false, table);
        log.endPart(true);
        log.writeGroup();
      }
    }
  }
});
