import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Blocks } from '../../src/host/memory/blocks.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import {
  clockContract,
  hashingContract,
  randomContract,
  storageContract,
  textsContract,
  threadsContract,
  timersContract,
} from './contract.ts';

storageContract('memory', () => {
  const storage = memoryStorage();
  return { storage, reopen: () => storage };
});
clockContract('memory', () => memoryHost().clock);
randomContract('memory', () => memoryHost().random);
timersContract('memory', () => memoryHost());
hashingContract('pure', () => memoryHost().hashing);
textsContract('pure', () => memoryHost().texts);
threadsContract('memory (inline)', () => memoryHost());

test('the memory host uses the capabilities it is given and no others', () => {
  const given = memoryHost({ clock: { nowMs: () => 5, monotonicMs: () => 6 }, random: { fill: (target) => void target.fill(4) } });
  assert.equal(given.clock.nowMs(), 5);
  const bytes = new Uint8Array(2);
  given.random.fill(bytes);
  assert.deepEqual([...bytes], [4, 4]);
});

test('an idle database in memory takes little: the log that is written ahead with zeros takes no space', async () => {
  const blocks = new Blocks(true);
  blocks.write(new Uint8Array(1_000_000), 0, 1_000_000, 0);
  assert.equal(blocks.blockCount, 0);
  assert.equal(blocks.size, 1_000_000);
  blocks.write(Uint8Array.of(0, 7, 0), 0, 3, 500_000);
  assert.equal(blocks.blockCount, 1);
  blocks.write(new Uint8Array(3), 0, 3, 500_000);
  const read = Uint8Array.of(1, 1, 1);
  blocks.read(read, 0, 3, 500_000);
  assert.deepEqual(read, new Uint8Array(3));
  const fork = blocks.fork();
  fork.write(new Uint8Array(4096), 0, 4096, 0);
  assert.equal(fork.blockCount, 1);
});
