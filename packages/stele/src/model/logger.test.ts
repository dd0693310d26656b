import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultyHost } from '../host/faulty/host.ts';
import { openSync } from '../node/open.ts';

// Keys and values of a put lie in buffers of the handle. A logger that read through the same handle while a put told it something put its own
// path there, and the put went on with it.
test('a logger that uses the database changes nothing of the call that told it', async () => {
  const host = faultyHost({ seed: 1 });
  let told = 0;
  let inside = 0;
  let isInside = false;
  const db = openSync({
    host,
    durability: 'async',
    cacheMemory: 64 << 20,
    logger: () => {
      told++;
      if (isInside) inside++;
      db.get('another/path/entirely');
    },
  });
  db.putSync('first', 'takes the mark of the clean close back');
  host.storage.fail('write', { file: 'commits.idx', times: Number.POSITIVE_INFINITY, error: 'IO_ERROR' });
  let put = 0;
  for (; put < 40_000; put++) {
    isInside = true;
    db.putSync(['n', put], put);
    isInside = false;
    if (put % 1000 === 0) await Promise.resolve();
    if (told > 0) break;
  }
  assert.ok(told > 0, 'nothing was told');
  host.storage.clearFaults();
  assert.equal(inside, 0, 'told in the middle of a put');
  for (let n = 0; n <= put; n++) assert.equal(db.get(['n', n]), n);
  assert.equal(db.count(), put + 2);
  await host.drive(db.close());
});
