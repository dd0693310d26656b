/**
 * What a copy that the caller owns costs: a fresh array each, or cut from a slab (base/slab.ts).
 *
 *   node packages/stele/bench/copy.bench.ts
 *
 * Median of 15 passes of 200,000 copies each, in ns a copy; the two take turns.
 */

import { Slab } from '../src/base/slab.ts';

const PASSES = 15;
const COPIES = 200_000;
const source = new Uint8Array(1 << 20).map((_, at) => at * 31);
const slab = new Slab();
let kept: Uint8Array = source;

function time(copy: (start: number) => Uint8Array): number {
  const start = performance.now();
  for (let n = 0; n < COPIES; n++) kept = copy((n * 7919) % 1_000_000);
  return ((performance.now() - start) / COPIES) * 1e6;
}

const median = (times: number[]): string => times.sort((a, b) => a - b)[times.length >> 1]!.toFixed(0);

for (const bytes of [32, 64, 100, 400, 1000]) {
  const fresh: number[] = [];
  const cut: number[] = [];
  for (let pass = 0; pass < PASSES; pass++) {
    fresh.push(time((start) => source.slice(start, start + bytes)));
    cut.push(time((start) => slab.copy(source, start, start + bytes)));
  }
  console.log(`${String(bytes).padStart(5)} bytes: fresh ${median(fresh)} ns, slab ${median(cut)} ns (${kept.length})`);
}
