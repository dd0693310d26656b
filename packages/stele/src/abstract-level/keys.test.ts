import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes } from '../base/bytes.ts';
import { Prng } from '../host/faulty/prng.ts';
import { pureTexts } from '../host/pure-texts.ts';
import { decodePath } from '../model/path/decode.ts';
import { Place } from '../model/place.ts';
import { type Bounds, Keys } from './keys.ts';

const SEED = 11;

/** Few different bytes, so that keys meet: the escape and what stands around it most of all. */
function randomKey(prng: Prng, lengthMax: number): Buffer {
  const key = Buffer.alloc(prng.below(lengthMax + 1));
  for (let at = 0; at < key.length; at++) key[at] = [0, 1, 8, 9, 0x61, 0xfe, 0xff][prng.below(7)]!;
  return key;
}

const compare = (a: Uint8Array, b: Uint8Array): number => compareBytes(a, 0, a.length, b, 0, b.length);

test('a stored key is the path of one bytes segment, in the order of keys, and gives the key back', () => {
  const prng = new Prng(SEED);
  const place = new Place(['a', 7]);
  const keys = new Keys(place, pureTexts());
  const decode = keys.decoder('buffer');
  const made = Array.from({ length: 2000 }, () => randomKey(prng, 5));
  const stored = made.map((key) => keys.stored(key));
  for (const [at, key] of made.entries()) {
    const bytes = stored[at]!;
    assert.deepEqual(bytes, place.key([key]));
    assert.deepEqual(decodePath(bytes, 0, bytes.length, 2), [new Uint8Array(key)]);
    // What lies behind the key in a page decides nothing.
    const inPage = Buffer.concat([bytes, Buffer.from([0xff, 0x00])]);
    assert.deepEqual(decode(inPage, bytes.length), key);
    assert.ok(keys.isKey(inPage, bytes.length));
    const below = place.key([key, ['x', 1, true, new Uint8Array([0xff])][at % 4]!]);
    assert.equal(decode(below, below.length), undefined);
    assert.equal(keys.isKey(below, below.length), false);
    const other = at === 0 ? 0 : prng.below(at);
    assert.equal(Math.sign(compare(bytes, stored[other]!)), Math.sign(Buffer.compare(key, made[other]!)), `seed ${SEED}`);
  }
});

test('text is its UTF-8, in every format', () => {
  const keys = new Keys(new Place(), pureTexts());
  for (const text of ['', 'plain', 'longer than eight', 'a\0b', '\0', 'é', '𝒜', '\x7f', '\ud800']) {
    const bytes = Buffer.from(text);
    const stored = keys.stored(text);
    assert.deepEqual(stored, keys.stored(bytes));
    assert.equal(keys.decoder('utf8')(stored, stored.length), bytes.toString());
    assert.deepEqual(keys.decoder('view')(stored, stored.length), new Uint8Array(bytes));
  }
  assert.deepEqual(keys.stored(new Uint16Array([0x6261]) as unknown as Uint8Array), keys.stored('ab'));
});

test('a range holds the keys that a comparison of bytes says, also for bounds no key can have', () => {
  const prng = new Prng(SEED);
  const place = new Place(['deep']);
  const keys = new Keys(place, pureTexts());
  // At the limit too: keys as long as may be, and bounds beyond.
  const tail = Buffer.alloc(1012, 0x61);
  const long = (key: Buffer, more: number): Buffer => Buffer.concat([tail, key, Buffer.alloc(more, 0x62)]);
  const made = Array.from({ length: 150 }, (_, at) => (at % 3 === 0 ? long(randomKey(prng, 2), 0) : randomKey(prng, 4)));
  const stored = made.map((key) => keys.stored(key));
  const bound = (): Buffer => {
    const key = randomKey(prng, 4);
    const kind = prng.below(4);
    return kind === 0 ? long(key, 3000) : kind === 1 ? long(key, prng.below(12)) : kind === 2 ? made[prng.below(made.length)]! : key;
  };
  for (let round = 0; round < 2000; round++) {
    const bounds: Bounds = {
      ...(prng.chance(0.5) ? { [prng.chance(0.5) ? 'gte' : 'gt']: bound() } : {}),
      ...(prng.chance(0.5) ? { [prng.chance(0.5) ? 'lte' : 'lt']: bound() } : {}),
    };
    const { start, end } = keys.range(bounds);
    for (const [at, key] of made.entries()) {
      const { gte, gt, lte, lt } = bounds as Readonly<Record<keyof Bounds, Buffer | undefined>>;
      const isInside =
        (gte === undefined || Buffer.compare(key, gte) >= 0) &&
        (gt === undefined || Buffer.compare(key, gt) > 0) &&
        (lte === undefined || Buffer.compare(key, lte) <= 0) &&
        (lt === undefined || Buffer.compare(key, lt) < 0);
      const isStoredInside = compare(stored[at]!, start) >= 0 && compare(stored[at]!, end) < 0;
      assert.equal(isStoredInside, isInside, `seed ${SEED}, round ${round}`);
    }
  }
  const all = keys.range({});
  for (const path of [['text'], [1], [true]]) {
    const other = place.key(path);
    assert.ok(compare(other, all.start) < 0 || compare(other, all.end) >= 0, 'other segments lie outside of every range');
  }
});
