/**
 * The tree in memory: the rows of docs on tree measurements (point get, changes, scan, range), one process, interleaved.
 *
 *   node packages/stele/bench/tree.bench.ts [keys, default 1000000] [passes, default 5]
 *
 * Keys `users/000123456/name`, 100-byte ASCII values, inserted shuffled with a fixed seed. Prints the median of the
 * passes in ns per operation. A JS Map and a random-read loop run beside it: compare ratios, machines differ.
 */

import { NO_PAGE } from '../src/pager/page-source.ts';
import { Accelerator } from '../src/tree/accelerator.ts';
import { EntryDraft } from '../src/tree/draft.ts';
import { valueBytesAt, valueStartAt } from '../src/tree/entry.ts';
import { FOUND, Tree } from '../src/tree/tree.ts';
import { MemoryPages } from '../test/tree/memory-pages.ts';

const keyCount = Number(process.argv[2] ?? 1_000_000);
const passes = Number(process.argv[3] ?? 5);
const pageBytes = Number(process.env['PAGE'] ?? 8192);

/** What Node's Buffer has and its types leave out. */
interface Slab {
  latin1Slice(start: number, end: number): string;
}

let state = 42;
const random = (below: number): number => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
};

/** A flat string of its own, so that walking an array of them in order costs no cache misses of the test's making. */
const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
const nameOf = (n: number): string => flat(`users/${String(n).padStart(9, '0')}/name`);
const order = Uint32Array.from({ length: keyCount }, (_, i) => i);
for (let i = keyCount - 1; i > 0; i--) {
  const j = random(i + 1);
  [order[i], order[j]] = [order[j]!, order[i]!];
}
const uniform = Uint32Array.from({ length: 500_000 }, () => random(keyCount));
const zipf = Uint32Array.from({ length: 500_000 }, () =>
  Math.min(keyCount - 1, Math.floor(keyCount ** (random(1 << 30) / (1 << 30))) - 1),
).map((n) => order[n]!);
const namesInOrder = Array.from({ length: keyCount }, (_, i) => nameOf(i));
const namesShuffled = Array.from(order, nameOf);
const namesUniform = Array.from(uniform, nameOf);
const namesZipf = Array.from(zipf, nameOf);
const hotName = nameOf(12345 % keyCount);

const key = new Uint8Array(64);
function encode(name: string): number {
  const length = name.length;
  for (let i = 0; i < length; i++) key[i] = name.charCodeAt(i);
  return length;
}

function build(accelerated: boolean, filled: 'shuffled' | 'appended' | 'empty'): { tree: Tree; pages: MemoryPages } {
  const pages = new MemoryPages(pageBytes, Math.ceil((keyCount * 290) / pageBytes) + 64, {
    shared: process.env['SHARED'] === '1',
    poison: false,
  });
  const accelerator = accelerated ? new Accelerator(pages, { bytesMax: Math.max(1 << 22, keyCount * 40), seed: 1 }) : undefined;
  const tree = new Tree(pages, { rootLpn: NO_PAGE, height: 0, liveCount: 0, accelerator });
  if (filled !== 'empty')
    for (let i = 0; i < keyCount; i++) put(tree, filled === 'appended' ? namesInOrder[i]! : namesShuffled[i]!, value100);
  return { tree, pages };
}

const draft = new EntryDraft();
const value100 = new Uint8Array(100).fill(118);
const value140 = new Uint8Array(140).fill(119);
let commit = 0;
function put(tree: Tree, name: string, value: Uint8Array): void {
  const keyBytes = encode(name);
  tree.seek(key, keyBytes);
  draft.commit = ++commit;
  draft.value = value;
  draft.valueStart = 0;
  draft.valueEnd = value.length;
  tree.write(draft);
}

let sink = 0;
function get(tree: Tree, slab: Slab, name: string): void {
  const location = tree.find(key, encode(name));
  if (location < 0) throw new Error('absent');
  const start = valueStartAt(tree.pages, location);
  sink += slab.latin1Slice(start, start + valueBytesAt(tree.pages, location)).length;
}

const results = new Map<string, number[]>();
function measure(name: string, operations: number, work: () => void): void {
  const start = process.hrtime.bigint();
  work();
  const ns = Number(process.hrtime.bigint() - start) / operations;
  const list = results.get(name) ?? [];
  list.push(ns);
  results.set(name, list);
}
function report(): void {
  for (const [name, list] of results) {
    const sorted = [...list].sort((a, b) => a - b);
    console.log(
      name.padEnd(46),
      String(Math.round(sorted[sorted.length >> 1]! * 10) / 10).padStart(8),
      '  min',
      Math.round(sorted[0]! * 10) / 10,
    );
  }
  results.clear();
}

// Warm-up on a small tree so that the first measured variant does not pay for compilation.
for (const accelerated of [false, true]) {
  const { tree, pages } = build(accelerated, 'empty');
  const slab = Buffer.from(pages.u8.buffer as ArrayBuffer) as unknown as Slab;
  for (let i = 0; i < 30_000; i++) put(tree, namesInOrder[i % keyCount]!, value100);
  for (let i = 0; i < 60_000; i++) get(tree, slab, namesInOrder[(i * 7) % Math.min(30_000, keyCount)]!);
}

const variants: { name: string; tree: Tree; slab: Slab }[] = [];
for (const accelerated of [false, true]) {
  const name = accelerated ? 'index' : 'tree ';
  const { tree, pages } = build(accelerated, 'empty');
  measure(`${name} insert shuffled`, keyCount, () => {
    for (let i = 0; i < keyCount; i++) put(tree, namesShuffled[i]!, value100);
  });
  variants.push({ name, tree, slab: Buffer.from(pages.u8.buffer as ArrayBuffer) as unknown as Slab });
  console.log(
    name,
    'pages',
    pages.residentPages,
    'bytes per key',
    (pages.residentPages * pageBytes) / keyCount,
    tree.counters,
    'index bytes',
    tree.accelerator?.bytes(),
  );
}
report();

const map = new Map(namesInOrder.map((name) => [name, flat('v'.repeat(100))]));
/** The machine's floor: dependent random reads in 64 MB, as in the findings (150 ns there). */
const chain = new Uint32Array(1 << 24);
for (let i = 0; i < chain.length; i++) chain[i] = (Math.imul(i, 1664525) + 1013904223) & (chain.length - 1);
let at = 0;

const missing = Array.from({ length: 200_000 }, (_, i) => flat(`users/${String(i * 5).padStart(9, '0')}/nope`));
const stageKeys = Array.from({ length: 100_000 }, () => new TextEncoder().encode(namesInOrder[random(keyCount)]!));
const out = new Float64Array(100);

for (let pass = 0; pass < passes; pass++) {
  measure('floor: dependent read in 64 MB', 500_000, () => {
    for (let i = 0; i < 500_000; i++) at = chain[at]!;
    sink += at;
  });
  measure('Map get uniform', uniform.length, () => {
    for (let i = 0; i < uniform.length; i++) sink += map.get(namesUniform[i]!)!.length;
  });
  for (const { name, tree, slab } of variants) {
    measure(`${name} get uniform, string`, uniform.length, () => {
      for (let i = 0; i < uniform.length; i++) get(tree, slab, namesUniform[i]!);
    });
    measure(`${name} find uniform, location`, uniform.length, () => {
      for (let i = 0; i < uniform.length; i++) sink += tree.find(key, encode(namesUniform[i]!));
    });
    measure(`${name} get Zipf, string`, zipf.length, () => {
      for (let i = 0; i < zipf.length; i++) get(tree, slab, namesZipf[i]!);
    });
    measure(`${name} get one hot key, string`, zipf.length, () => {
      for (let i = 0; i < zipf.length; i++) get(tree, slab, hotName);
    });
    measure(`${name} find missing`, missing.length, () => {
      for (let i = 0; i < missing.length; i++) sink += tree.find(key, encode(missing[i]!));
    });
    measure(`${name} multi-get of 100, string`, stageKeys.length, () => {
      for (let i = 0; i < stageKeys.length; i += 100) {
        const keys = stageKeys.slice(i, i + 100);
        tree.findMany(keys, out);
        for (let j = 0; j < 100; j++) {
          const start = valueStartAt(tree.pages, out[j]!);
          sink += slab.latin1Slice(start, start + valueBytesAt(tree.pages, out[j]!)).length;
        }
      }
    });
    measure(`${name} cursor, no decoding`, keyCount, () => {
      const cursor = tree.cursor();
      for (let result = cursor.seekFirst(); result === FOUND; result = cursor.next()) sink += cursor.location & 1;
    });
    measure(`${name} cursor backwards`, keyCount, () => {
      const cursor = tree.cursor();
      for (let result = cursor.seekLast(); result === FOUND; result = cursor.previous()) sink += cursor.location & 1;
    });
    measure(`${name} range of 50, values as strings`, 20_000, () => {
      const cursor = tree.cursor();
      for (let i = 0; i < 20_000; i++) {
        let result = cursor.seek(key, encode(namesUniform[i]!));
        for (let j = 0; j < 50 && result === FOUND; j++, result = cursor.next()) {
          const start = valueStartAt(tree.pages, cursor.location);
          sink += slab.latin1Slice(start, start + valueBytesAt(tree.pages, cursor.location)).length;
        }
      }
    });
    measure(`${name} cursor seek`, 100_000, () => {
      const cursor = tree.cursor();
      for (let i = 0; i < 100_000; i++) sink += cursor.seek(key, encode(namesUniform[i]!));
    });
    measure(`${name} rank`, 100_000, () => {
      for (let i = 0; i < 100_000; i++) sink += tree.rank(key, encode(namesUniform[i]!));
    });
  }
}
report();

const namesOther = Array.from({ length: keyCount }, (_, i) => nameOf(order[(i * 7 + 3) % keyCount]!));
for (let pass = 0; pass < 2; pass++) {
  for (const { name, tree } of variants) {
    measure(`${name} overwrite, same size`, keyCount, () => {
      for (let i = 0; i < keyCount; i++) put(tree, namesOther[i]!, value100);
    });
  }
}
for (const { name, tree } of variants) {
  measure(`${name} overwrite in place by find`, keyCount, () => {
    for (let i = 0; i < keyCount; i++) {
      const keyBytes = encode(namesOther[i]!);
      draft.commit = ++commit;
      draft.value = value100;
      draft.valueEnd = value100.length;
      if (!tree.overwrite(tree.find(key, keyBytes), draft, key, keyBytes)) throw new Error('not in place');
    }
  });
}
for (const { name, tree } of variants) {
  measure(`${name} overwrite, larger`, keyCount, () => {
    for (let i = 0; i < keyCount; i++) put(tree, namesShuffled[i]!, value140);
  });
  measure(`${name} delete`, keyCount, () => {
    for (let i = 0; i < keyCount; i++) {
      tree.seek(key, encode(namesShuffled[i]!));
      tree.remove();
    }
  });
}
variants.length = 0;
for (const accelerated of [false, true]) {
  const name = accelerated ? 'index' : 'tree ';
  const { tree, pages } = build(accelerated, 'empty');
  measure(`${name} append`, keyCount, () => {
    for (let i = 0; i < keyCount; i++) put(tree, namesInOrder[i]!, value100);
  });
  console.log(name, 'appended: bytes per key', (pages.residentPages * pageBytes) / keyCount, tree.counters);
}
report();
if (sink === 0.5) console.log(sink);
