/** A reading thread of the stress test: reads at random, checks that values are whole, tells the owner what it saw. */

import { parentPort, workerData } from 'node:worker_threads';
import { posixHost } from '../../src/host/posix/host.ts';
import { attachEngine } from '../../src/txn/threads/attach.ts';
import type { Reader, View } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';
import { ABSENT, COUNT, GET, OUTSTANDING, OUTSTANDING_MAX, SCAN, STOP, type StressMessage, type StressStart } from './protocol.ts';
import { keyOf, numberOf, stampOf } from './values.ts';

const { handle, directory, words, keys, seed } = workerData as StressStart;
const random = new SeededRandom(seed);
const reader = attachEngine(handle, { host: posixHost(directory) });
let seen: number[] = [];
let reads = 0;

function tell(message: StressMessage): void {
  parentPort!.postMessage(message);
}

function send(): void {
  if (seen.length === 0) return;
  while (Atomics.load(words, OUTSTANDING) >= OUTSTANDING_MAX && Atomics.load(words, STOP) === 0) Atomics.wait(words, STOP, 0, 1);
  Atomics.add(words, OUTSTANDING, 1);
  tell({ kind: 'seen', numbers: Int32Array.from(seen) });
  seen = [];
}

function readOne(): void {
  const n = random.below(keys);
  const key = keyOf(n);
  const before = reader.version;
  if (random.below(4) > 0) {
    const stamp = reader.read(key, key.length, (bytes, start, end) => stampOf(n, bytes, start, end)) ?? ABSENT;
    seen.push(GET, n, before, reader.version, stamp, -1);
  } else {
    const entry = reader.entry(key);
    const stamp = entry === undefined ? ABSENT : stampOf(n, entry.value, 0, entry.value.length);
    seen.push(GET, n, before, reader.version, stamp, entry?.version ?? -1);
  }
  reads++;
}

function pairsOf(view: Reader, from: number, to: number, reverse: boolean): number[] {
  const pairs: number[] = [];
  const range = { start: keyOf(from), end: keyOf(to), reverse };
  if (random.below(2) === 0) {
    for (const entry of view.scan(range)) {
      const n = numberOf(entry.key);
      pairs.push(n, stampOf(n, entry.value, 0, entry.value.length));
    }
  } else {
    view.forEach(range, (key, keyLength, bytes, start, end) => {
      const n = numberOf(key.subarray(0, keyLength));
      pairs.push(n, stampOf(n, bytes, start, end));
    });
  }
  return pairs;
}

function same(what: string, a: readonly number[], b: readonly number[]): void {
  if (a.length !== b.length || a.some((number, at) => number !== b[at]))
    throw new Error(`${what}: ${a.length / 2} and ${b.length / 2} entries`);
}

/** What a view shows of a range must be exact, and the same by every way of reading, as long as it is open. */
function readView(view: View): void {
  const from = random.below(keys);
  const to = Math.min(keys, from + 1 + random.below(random.below(8) === 0 ? keys : 300));
  const pairs = pairsOf(view, from, to, false);
  seen.push(SCAN, view.version, from, to, pairs.length / 2, ...pairs);
  reads += pairs.length / 2;
  const range = { start: keyOf(from), end: keyOf(to) };
  const count = view.count(range);
  if (count !== pairs.length / 2) throw new Error(`count ${count} of a view, a scan gives ${pairs.length / 2}`);
  const again: number[] = [];
  for (let tries = 0; tries < 20 && pairs.length > 0; tries++) {
    const at = 2 * random.below(pairs.length / 2);
    const n = pairs[at]!;
    const value = view.get(keyOf(n));
    if (value === undefined || stampOf(n, value, 0, value.length) !== pairs[at + 1]) throw new Error(`key ${n} of a view changed`);
  }
  const backward = pairsOf(view, from, to, true);
  for (let at = backward.length - 2; at >= 0; at -= 2) again.push(backward[at]!, backward[at + 1]!);
  same('forwards and backwards', pairs, again);
  const some = Array.from({ length: 30 }, () => from + random.below(to - from));
  const expected = new Map<number, number>();
  for (let at = 0; at < pairs.length; at += 2) expected.set(pairs[at]!, pairs[at + 1]!);
  view.getMany(some.map(keyOf)).forEach((value, at) => {
    const stamp = value === undefined ? undefined : stampOf(some[at]!, value, 0, value.length);
    if (stamp !== expected.get(some[at]!)) throw new Error(`getMany: key ${some[at]} has stamp ${stamp}, scan ${expected.get(some[at]!)}`);
  });
  const first = view.first(range);
  const last = view.last(range);
  if ((first === undefined ? -1 : numberOf(first.key)) !== (pairs[0] ?? -1)) throw new Error('first differs from the scan');
  if ((last === undefined ? -1 : numberOf(last.key)) !== (pairs[pairs.length - 2] ?? -1)) throw new Error('last differs from the scan');
}

function countRange(): void {
  const from = random.below(keys);
  const to = Math.min(keys, from + 1 + random.below(200));
  const before = reader.version;
  const count = reader.count({ start: keyOf(from), end: keyOf(to) });
  seen.push(COUNT, before, reader.version, from, to, count);
}

try {
  const views: View[] = [];
  while (Atomics.load(words, STOP) === 0) {
    for (let i = 0; i < 400; i++) readOne();
    for (let i = 0; i < 4; i++) countRange();
    if (views.length < 3) views.push(reader.snapshot());
    readView(views[random.below(views.length)]!);
    if (random.below(3) === 0) views.splice(random.below(views.length), 1)[0]!.close();
    const sudden = pairsOf(reader, 0, 50, false);
    if (sudden.length > 100) throw new Error('a scan of 50 keys gave more');
    send();
  }
  send();
  tell({ kind: 'done', counters: { ...reader.counters }, reads });
  reader.close();
} catch (error) {
  tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
