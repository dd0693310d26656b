import assert from 'node:assert/strict';
import { test } from 'node:test';
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
