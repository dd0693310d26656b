import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '../host/faulty/prng.ts';
import { NO_PREFIX, PrefixTrie } from './prefix-trie.ts';

/** The definition: of the prefixes that the key is at or below, the longest. */
function naive(prefixes: readonly Uint8Array[], key: Uint8Array, keyBytes: number): number {
  let best = NO_PREFIX;
  for (const [at, prefix] of prefixes.entries()) {
    const isBelow = prefix.length <= keyBytes && prefix.every((byte, i) => byte === key[i]);
    if (!isBelow || (prefix.length < keyBytes && key[prefix.length] === 0xff)) continue;
    if (best === NO_PREFIX || prefix.length >= prefixes[best]!.length) best = at;
  }
  return best;
}

const BYTES = [0, 1, 0x61, 0x62, 0xff];

function draw(prng: Prng, bytesMax: number): Uint8Array {
  return Uint8Array.from({ length: 1 + prng.below(bytesMax) }, (_, at) => (at === 0 ? 2 : BYTES[prng.below(BYTES.length)]!));
}

test('find() gives the longest prefix that a key is at or below, as a list of prefixes says', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const prng = new Prng(seed);
    const prefixes = Array.from({ length: prng.below(30) }, () => draw(prng, 8));
    const trie = PrefixTrie.of(prefixes, 0xff);
    for (let i = 0; i < 500; i++) {
      const key = prng.chance(0.3) && prefixes.length > 0 ? prefixes[prng.below(prefixes.length)]! : draw(prng, 10);
      const keyBytes = 1 + prng.below(key.length);
      assert.equal(trie.find(key, keyBytes), naive(prefixes, key, keyBytes), `seed ${seed}, key ${key.join()} of ${keyBytes}`);
    }
  }
});

test('an empty trie finds nothing, and the root prefix is found for every key', () => {
  const key = Uint8Array.of(2, 0x61, 0);
  assert.equal(PrefixTrie.of([]).find(key, 3), NO_PREFIX);
  assert.equal(PrefixTrie.of([Uint8Array.of(2)]).find(key, 3), 0);
  assert.equal(PrefixTrie.of([Uint8Array.of(2)]).find(Uint8Array.of(1, 1), 2), NO_PREFIX);
});

test('text that goes on with a zero is another segment, not a child', () => {
  const ada = Uint8Array.of(2, 0x61, 0);
  const adaZero = Uint8Array.of(2, 0x61, 0, 0xff, 0x62, 0);
  assert.equal(PrefixTrie.of([ada], 0xff).find(adaZero, adaZero.length), NO_PREFIX);
  assert.equal(PrefixTrie.of([ada, adaZero], 0xff).find(adaZero, adaZero.length), 1);
});

test('nothing behind the given length decides', () => {
  const trie = PrefixTrie.of([Uint8Array.of(2, 0x61, 0), Uint8Array.of(2, 0x61, 0, 0x62, 0)]);
  assert.equal(trie.find(Uint8Array.of(2, 0x61, 0, 0x62, 0), 3), 0);
  assert.equal(trie.find(Uint8Array.of(2, 0x61, 0, 0x62, 0), 4), 0);
  assert.equal(trie.find(Uint8Array.of(2, 0x61, 0), 2), NO_PREFIX);
});

test('without an escape every key that begins with a prefix is below it', () => {
  const prefixes = [Uint8Array.of(), Uint8Array.of(2, 0x61), Uint8Array.of(2, 0x61, 0xff)];
  const trie = PrefixTrie.of(prefixes);
  const find = (...bytes: number[]): number => trie.find(Uint8Array.from(bytes), bytes.length);
  assert.deepEqual([find(2), find(2, 0x61), find(2, 0x61, 1), find(2, 0x61, 0xff), find(2, 0x61, 0xff, 3)], [0, 1, 1, 2, 2]);
});
