import assert from 'node:assert/strict';
import test from 'node:test';
import { Slab } from './slab.ts';

test('copies of every length hold their bytes and share none with each other', () => {
  const slab = new Slab();
  const source = Uint8Array.from({ length: 3000 }, (_, at) => at % 251);
  const copies: { copy: Uint8Array; start: number }[] = [];
  for (let length = 0; length < 1500; length += 7)
    copies.push({ copy: slab.copy(source, length % 97, (length % 97) + length), start: length % 97 });
  for (const { copy, start } of copies) assert.deepEqual(copy, source.slice(start, start + copy.length));
  for (const { copy } of copies) copy.fill(255);
  assert.deepEqual(slab.copy(source, 10, 110), source.slice(10, 110));
  assert.ok(copies.every(({ copy }) => copy.every((byte) => byte === 255)));
});
