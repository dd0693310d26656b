import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheOf, createFile } from '../../test/pager/fixtures.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import type { BlockFile } from './block-frames.ts';

function setUp(frames: number) {
  const storage = memoryStorage();
  const pages = cacheOf(createFile(storage), frames);
  const file = storage.open('log', { create: true });
  const bytes = Uint8Array.from({ length: 4096 * 50 + 100 }, (_, i) => (i >>> 12) + 1);
  file.write(bytes, 0, bytes.length, 0);
  const log: BlockFile = { name: 'log', file: () => file };
  return { pages, blocks: pages.blocks, log };
}

test('a block is a miss, then a hit, and a partial one ends in zeros', () => {
  const { blocks, log } = setUp(16);
  assert.equal(blocks.get(log, 3), -1);
  const at = blocks.fill(log, 3);
  assert.equal(blocks.get(log, 3), at);
  assert.equal(blocks.fill(log, 3), at);
  assert.ok(blocks.u8.subarray(at, at + 4096).every((byte) => byte === 4));
  const last = blocks.fill(log, 50);
  assert.equal(blocks.u8[last + 99], 51);
  assert.ok(blocks.u8.subarray(last + 100, last + 4096).every((byte) => byte === 0));
  assert.deepEqual(blocks.counters, { hits: 2, misses: 2 });
});

test('blocks are evicted by the clock, the ones used last stay', () => {
  const { blocks, log, pages } = setUp(16);
  for (let block = 0; block < 40; block++) {
    blocks.fill(log, block);
    blocks.fill(log, 0);
  }
  let resident = 0;
  for (let block = 0; block < 50; block++) if (blocks.get(log, block) >= 0) resident++;
  assert.equal(resident, 16);
  assert.ok(blocks.get(log, 0) >= 0);
  assert.ok(pages.frames.counters.evictions >= 24);
});

test('fillAsync() reads a block once, whoever asks, and drop() forgets everything, fills under way included', async () => {
  const { blocks, log, pages } = setUp(16);
  const one = blocks.fillAsync(log, 7);
  assert.equal(blocks.fillAsync(log, 7), one);
  await one;
  assert.ok(blocks.get(log, 7) >= 0);
  const slow = blocks.fillAsync(log, 8);
  blocks.fill(log, 9);
  blocks.drop(log);
  await slow;
  for (const block of [7, 8, 9]) assert.equal(blocks.get(log, block), -1);
  assert.equal(pages.frames.freeCount, 16);
  blocks.drop(log);
  blocks.fill(log, 8);
});

test('a failing read gives the frame back', async () => {
  const { blocks, pages } = setUp(16);
  const broken: BlockFile = {
    name: 'gone',
    file: () => {
      throw new Error('gone');
    },
  };
  assert.throws(() => blocks.fill(broken, 1), /gone/);
  await assert.rejects(blocks.fillAsync(broken, 1), /gone/);
  assert.equal(pages.frames.freeCount, 16);
});
