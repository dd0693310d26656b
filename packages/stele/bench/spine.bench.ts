/**
 * Log records read by an AS OF read of one key, by the number of its versions.
 *
 *   node packages/stele/bench/spine.bench.ts [versions, default 1000000]
 *
 * Builds the chain the way the engine does (spine in the entry, tables in the records) and follows the search for 10,000
 * commits spread over it. A record is counted when its table, or the version itself, is read.
 */

import { growSpine, SpineAnswer, searchSpine, type VersionAddress } from '../src/txn/spine.ts';

const count = Number(process.argv[2] ?? 1_000_000);
const addressOf = (at: number): VersionAddress => ({ commit: at + 1, addressCommit: at + 1, ordinal: 0, carried: false });

const tables = new Map<number, Uint8Array>();
let spine: Uint8Array | undefined;
let tableBytes = 0;
let spineBytesMax = 0;
for (let at = 1; at < count; at++) {
  const grown = growSpine(spine, addressOf(at - 1));
  spine = grown.spine;
  spineBytesMax = Math.max(spineBytesMax, spine.length);
  if (grown.table === undefined) continue;
  tables.set(at + 1, grown.table);
  tableBytes += grown.table.length;
}

const reads: number[] = [];
for (let sample = 0; sample < 10_000; sample++) {
  const wanted = 1 + Math.floor((sample * (count - 1)) / 10_000);
  let read = 1; // the version itself
  const answer = searchSpine(
    spine!,
    0,
    spine!.length,
    count,
    0,
    wanted,
    (commit) => {
      read++;
      const bytes = tables.get(commit) ?? new Uint8Array(0);
      return { bytes, tableStart: 0, tableEnd: bytes.length };
    },
    new SpineAnswer(),
  );
  if (answer?.addressCommit !== wanted) throw new Error(`as of ${wanted}: found ${answer?.addressCommit}`);
  reads.push(read);
}
const mean = reads.reduce((sum, read) => sum + read, 0) / reads.length;
console.log(`${count} versions: records read, mean ${mean.toFixed(2)}, most ${Math.max(...reads)}`);
console.log(`spine at most ${spineBytesMax} bytes; tables ${(tableBytes / count).toFixed(2)} bytes a version`);
