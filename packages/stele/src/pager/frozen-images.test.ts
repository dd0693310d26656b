import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrozenImages } from './frozen-images.ts';

test('images in the region and beyond it are found, whole, and gone after clear()', () => {
  const images = new FrozenImages({ pageBytes: 4096, regionPages: 10 });
  const source = new Uint8Array(3 * 4096);
  for (let round = 0; round < 2; round++) {
    for (let lpn = 0; lpn < 200; lpn++) {
      source.fill(lpn + round, 4096, 8192);
      images.save(lpn * 3, source, 4096, lpn % 2 === 0);
    }
    for (let lpn = 0; lpn < 200; lpn++) {
      const index = images.find(lpn * 3);
      const { u8 } = images.viewsOf(index);
      const start = images.startOf(index);
      assert.ok(u8.subarray(start, start + 4096).every((byte) => byte === ((lpn + round) & 255)));
      assert.equal(images.wasDirty(index), lpn % 2 === 0);
    }
    assert.equal(images.count, 200);
    assert.equal(images.find(1), -1);
    images.clear();
    assert.equal(images.find(0), -1);
    assert.equal(images.count, 0);
  }
});
