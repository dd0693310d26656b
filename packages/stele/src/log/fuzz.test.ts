import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, below, bytesOf, logOptions, type Rng, randomCommit, rng, snapshot, writeProgram } from '../../test/log/kit.ts';
import { readU32, writeU32 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { nodeHashing } from '../host/posix/hashing.ts';
import { fuzzTargets } from './fuzz.ts';
import { GROUP_BYTES } from './group-format.ts';
import { Log } from './log.ts';
import { recordSeed } from './record-format.ts';
import { decodeSegmentHeader, segmentSeed } from './segment-header.ts';

/** Always the same ones; `npm run rack -- fuzz` goes on from here. */
const ROUNDS = 6000;

const hashing = nodeHashing();

/** A few seeds of real bytes for each target. */
function corpus(random: Rng): Record<string, Uint8Array[]> {
  const options = logOptions();
  const log = Log.create(options);
  writeProgram(log, random, 12, { large: true, operationsMax: 10 });
  const table = log.encodeSegmentTable();
  const segments = [...snapshot(options.storage).values()];
  return { segment: segments, segmentTable: [table], segmentHeader: segments.map((bytes) => bytes.slice(0, 256)), record: records(random) };
}

/** Commit records, each alone. */
function records(random: Rng): Uint8Array[] {
  return Array.from({ length: 8 }, (_, i) => {
    const options = logOptions();
    const log = Log.create(options);
    for (let commit = 1; commit <= i; commit++) append(log, randomCommit(random, commit, { large: false, operationsMax: 3 }), 1, random);
    log.writeGroup();
    const { lastOffset } = log;
    const model = randomCommit(random, i + 1, { large: i % 2 === 0, operationsMax: 12 });
    append(log, model, 1, random);
    log.writeGroup();
    const bytes = [...snapshot(options.storage).values()].at(-1)!;
    const at = log.lastOffset > lastOffset ? log.lastOffset : 256 + GROUP_BYTES;
    return bytes.slice(at, at + readU32(bytes, at + 8));
  });
}

function mutate(random: Rng, bytes: Uint8Array, all: readonly Uint8Array[]): Uint8Array {
  let out = bytes.slice();
  for (let n = 1 + below(random, 4); n > 0; n--) {
    const at = below(random, Math.min(out.length, 3000));
    const way = below(random, 6);
    if (way === 0) out[at] = below(random, 256);
    else if (way === 1) out[at]! ^= 1 << below(random, 8);
    else if (way === 2) out = out.slice(0, at);
    else if (way === 3) writeU32(out, at, [0, 1, 0xffff_ffff, 0x7fff_ffff, out.length][below(random, 5)]!);
    else if (way === 4) out.copyWithin(at, below(random, out.length), below(random, out.length));
    else out.set(all[below(random, all.length)]!.subarray(at, at + below(random, 300)).subarray(0, Math.max(0, out.length - at)), at);
    if (out.length === 0) return out;
  }
  return out;
}

/** Puts right checksums on the header and the first records, so that what lies behind them is reached. */
function repair(bytes: Uint8Array): void {
  if (bytes.length < 256 + GROUP_BYTES + 34) return;
  writeU32(bytes, 252, crc32(bytes, 0, 252, 0));
  let header: ReturnType<typeof decodeSegmentHeader>;
  try {
    header = decodeSegmentHeader(bytes.subarray(0, 256));
  } catch {
    return;
  }
  if (header === undefined) return;
  const seed = segmentSeed(header.databaseId, header.number, header.generation);
  let chain = header.previousChecksum;
  for (let at = 256, n = 0; n < 8 && at + 26 < bytes.length; n++) {
    const length = readU32(bytes, at + 8);
    if (length < 26 || at + length > bytes.length) return;
    writeU32(bytes, at + 4, chain);
    writeU32(bytes, at, crc32(bytes, at + 4, at + length, recordSeed(seed, at)));
    if (bytes[at + 12] !== 1) chain = readU32(bytes, at);
    at += length;
  }
}

for (const name of Object.keys(fuzzTargets)) {
  test(`${name}: any bytes give a result or a typed error, in bounded time and memory`, () => {
    const random = rng(77);
    const seeds = corpus(random)[name] ?? [bytesOf(random, 64), bytesOf(random, 300)];
    let worst = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = round < seeds.length ? seeds[round]! : mutate(random, seeds[below(random, seeds.length)]!, seeds);
      if (name === 'segment' && round % 3 !== 0) repair(bytes);
      if (name === 'segmentTable' && round % 2 === 1 && bytes.length > 4)
        writeU32(bytes, bytes.length - 4, crc32(bytes, 0, bytes.length - 4, 0));
      const start = performance.now();
      try {
        fuzzTargets[name]!(bytes, hashing);
      } catch (error) {
        assert.ok(
          error instanceof SteleError && error.kind !== 'internal',
          `round ${round}: ${error instanceof Error ? error.stack : error}`,
        );
      }
      worst = Math.max(worst, performance.now() - start);
    }
    assert.ok(worst < 500, `slowest input took ${worst} ms`);
  });
}
