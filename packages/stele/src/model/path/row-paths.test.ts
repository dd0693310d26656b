import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pureTexts } from '../../host/pure-texts.ts';
import { decodePath } from './decode.ts';
import { encodePath } from './encode.ts';
import { KEY_BYTES_MAX } from './layout.ts';
import { RowPaths } from './row-paths.ts';
import type { Segment } from './types.ts';

const texts = pureTexts();

const keyOf = (path: readonly Segment[]): Uint8Array => {
  const key = new Uint8Array(KEY_BYTES_MAX);
  return key.slice(0, encodePath(path, key, 0));
};

/** Small worlds, so that neighbours share beginnings, middles and ends. */
const pieces: readonly Segment[] = [
  'a',
  'ab',
  'a\0',
  'a\0b',
  'users',
  '000000123',
  '000000124',
  'longer than eight',
  'späť',
  '\x01tagged',
  1,
  -1,
  0,
  1.5,
  300,
  2n ** 70n,
  true,
  false,
  new Uint8Array(0),
  Uint8Array.of(0),
  Uint8Array.of(0, 255, 0),
  Uint8Array.of(1, 2, 3),
];

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('a path read behind another is the path read alone, whatever the other was', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const skip = seed % 3;
    const paths = new RowPaths(texts, skip);
    for (let i = 0; i < 500; i++) {
      const length = skip + 1 + Math.floor(next() * 4);
      const key = keyOf(Array.from({ length }, () => pieces[Math.floor(next() * pieces.length)]!));
      assert.deepEqual(paths.read(key, key.length), decodePath(key, 0, key.length, skip), `seed ${seed}, path ${i}`);
    }
  }
});

test('keys in order, as a scan meets them, give their paths', () => {
  const paths = new RowPaths(texts, 0);
  for (let i = 0; i < 300; i++)
    for (const leaf of ['mail', 'name']) {
      const path = ['users', String(i).padStart(9, '0'), leaf];
      const key = keyOf(path);
      assert.deepEqual(paths.read(key, key.length), path);
    }
});

test('what was handed out is the caller’s: arrays and bytes are made for each row', () => {
  const paths = new RowPaths(texts, 0);
  const key = keyOf(['a', Uint8Array.of(1, 2), 'b']);
  const first = paths.read(key, key.length);
  (first[1] as Uint8Array)[0] = 9;
  first[0] = 'changed';
  assert.deepEqual(paths.read(key, key.length), ['a', Uint8Array.of(1, 2), 'b']);
});

test('bytes that no path has are refused, and the next key is read as if nothing had been', () => {
  const good = keyOf(['users', 'ada']);
  for (const bad of [
    Uint8Array.of(),
    Uint8Array.of(1, 97, 0),
    Uint8Array.of(2, 97),
    Uint8Array.of(2, 0x1f, 0x61, 0),
    Uint8Array.of(2, 255, 0),
  ]) {
    const paths = new RowPaths(texts, 0);
    assert.deepEqual(paths.read(good, good.length), ['users', 'ada']);
    assert.throws(() => paths.read(bad, bad.length), { kind: 'corrupt', code: 'KEY_DAMAGED' });
    assert.deepEqual(paths.read(good, good.length), ['users', 'ada']);
  }
});

test('a segment that goes on with an escaped zero is not the one before', () => {
  const paths = new RowPaths(texts, 0);
  for (const path of [['a', 'b'], ['a\0', 'b'], ['a'], ['a\0'], ['a\0', 'b']]) {
    const key = keyOf(path);
    assert.deepEqual(paths.read(key, key.length), path);
  }
});

test('a path of more segments than there may be is refused', () => {
  const paths = new RowPaths(texts, 0);
  const key = new Uint8Array(1 + 2 * 65);
  key[0] = 2;
  for (let i = 0; i < 65; i++) key[1 + 2 * i] = 97;
  assert.throws(() => paths.read(key, key.length), { kind: 'corrupt', code: 'KEY_DAMAGED' });
});
