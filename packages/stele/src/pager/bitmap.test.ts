import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../test/model/random.ts';
import { Bitmap } from './bitmap.ts';

test('a bitmap agrees with a set of numbers in everything it answers', () => {
  for (let seed = 1; seed < 60; seed++) {
    const random = new SeededRandom(seed);
    const bitmap = new Bitmap(random.below(100));
    const set = new Set<number>();
    const span = random.between(1, 400);
    for (let i = 0; i < 200; i++) {
      const first = random.below(span);
      const count = random.between(1, 40);
      if (random.below(2) === 0) {
        bitmap.setRun(first, count);
        for (let page = first; page < first + count; page++) set.add(page);
      } else {
        bitmap.clearRun(first, count);
        for (let page = first; page < first + count; page++) set.delete(page);
      }
      const from = random.below(span + 50);
      let clear = from;
      while (set.has(clear)) clear++;
      assert.equal(bitmap.nextClear(from), clear);
      const limit = from + random.below(300);
      let present = from;
      while (present < limit && !set.has(present)) present++;
      assert.equal(bitmap.nextSet(from, limit), present);
      assert.equal(bitmap.count(), set.size);
      assert.equal(bitmap.end(), set.size === 0 ? 0 : Math.max(...set) + 1);
      assert.equal(bitmap.has(from), set.has(from));
    }
    const again = Bitmap.decode(bitmap.encode());
    assert.equal(again.end(), bitmap.end());
    assert.deepEqual(again.encode(), bitmap.encode());
    const other = new Bitmap();
    other.set(777);
    other.unite(bitmap);
    assert.equal(other.count(), set.size + 1);
    assert.equal(bitmap.clone().count(), set.size);
  }
});

test('the stored form is the lowest bit first, without zeros at the end', () => {
  const bitmap = new Bitmap();
  for (const page of [0, 1, 9, 34]) bitmap.set(page);
  assert.deepEqual([...bitmap.encode()], [3, 2, 0, 0, 4]);
  bitmap.clear(34);
  assert.deepEqual([...bitmap.encode()], [3, 2]);
  assert.deepEqual([...new Bitmap(100).encode()], []);
});
