/** Remembered paths beside plain seeks: the same places, while the batch itself splits leaves, inner pages and the root. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPages } from '../../test/tree/memory-pages.ts';
import { EntryDraft } from './draft.ts';
import { PATH_STAGE, Paths, UNKNOWN_PATH } from './paths.ts';
import { END } from './results.ts';
import { Tree } from './tree.ts';
import { TreeVerifier } from './verify.ts';

const text = (n: number): Uint8Array => new TextEncoder().encode(`k/${String(n).padStart(8, '0')}`);

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
}

/** Batches of ascending keys, planned and applied as the writer does. Returns how many keys went by a remembered path. */
function run(
  seed: number,
  options: { readonly span: number; readonly batch: number; readonly deletes: number },
): { taken: number; keys: number } {
  const random = seeded(seed);
  const tree = new Tree(new MemoryPages(8192, 2000), { rootLpn: -1, height: 0, liveCount: 0 });
  const paths = new Paths(tree);
  const draft = new EntryDraft();
  const truth = new Map<number, number>();
  let taken = 0;
  let keys = 0;
  for (let commit = 1; commit <= 60; commit++) {
    const numbers = [...new Set(Array.from({ length: options.batch }, () => random(options.span)))].sort((a, b) => a - b);
    const batch = numbers.map((n) => ({ n, key: text(n), isDelete: random(100) < options.deletes }));
    paths.begin(batch.length);
    for (let i = 0; i < batch.length; i++) {
      const { key, n } = batch[i]!;
      if (i % PATH_STAGE === 0) paths.stage(batch, i);
      const planned = paths.seekStaged(i, i - (i % PATH_STAGE), key);
      if (planned !== UNKNOWN_PATH) {
        assert.equal(planned, tree.find(key, key.length), `seed ${seed}, commit ${commit}: key ${n} is planned elsewhere`);
        assert.ok(tree.isSoughtHeld());
      }
    }
    for (let i = 0; i < batch.length; i++) {
      const { key, n, isDelete } = batch[i]!;
      let location = paths.seekAgain(i, key);
      if (location === UNKNOWN_PATH) location = tree.seek(key, key.length);
      else taken++;
      keys++;
      assert.equal(location, tree.find(key, key.length), `seed ${seed}, commit ${commit}: key ${n} is sought elsewhere`);
      assert.equal(location >= 0, truth.has(n));
      if (isDelete) {
        if (location >= 0) tree.remove();
        truth.delete(n);
        continue;
      }
      draft.clear();
      draft.commit = commit;
      draft.value = new Uint8Array(20 + random(200));
      draft.valueEnd = draft.value.length;
      tree.write(draft);
      truth.set(n, commit);
    }
    const verifier = new TreeVerifier(tree, (fault) => assert.fail(`seed ${seed}, commit ${commit}: ${fault.message}`));
    while (verifier.step(1 << 20) !== END);
    assert.equal(tree.liveCount, truth.size);
  }
  return { taken, keys };
}

test('a remembered path leads where a seek leads, while the batch splits what it leads through', () => {
  for (const seed of [1, 2, 3]) {
    const { taken, keys } = run(seed, { span: 40_000, batch: 300, deletes: 0 });
    assert.ok(taken > keys * 0.3, `${taken} of ${keys} keys went by their path`);
  }
});

test('many keys of a batch in one leaf, and leaves that merge', () => {
  for (const seed of [4, 5, 6]) run(seed, { span: 900, batch: 200, deletes: 33 });
  for (const seed of [7, 8]) run(seed, { span: 6000, batch: 1500, deletes: 50 });
});
