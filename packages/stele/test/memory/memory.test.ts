/** The small slice of the memory rack: `npm run rack -- memory` is the whole. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure } from './measure.ts';

test('a database five times its cache works within cache + 64 MiB above an idle Node with the same threads', {
  timeout: 120_000,
}, async () => {
  const cacheBytes = 8 * 1024 * 1024;
  const found = await measure({ cacheBytes, dataBytes: 20 * 1024 * 1024, operations: 4000, seed: 1, youngMb: 4 });
  assert.ok(found.work.pageFileBytes >= 5 * cacheBytes, `the page file has ${found.work.pageFileBytes} bytes`);
  assert.ok(Number(found.work.stats['pages']!['evictions']) > 1000, 'pages were evicted');
  const { fillBytes, workBytes, idleBytes, boundBytes } = found;
  assert.ok(workBytes <= boundBytes, `${workBytes} bytes at work, bound ${boundBytes}, idle ${idleBytes}`);
  // With V8's young generation limited, as here, a load in large batches stays within the same bound.
  assert.ok(fillBytes <= boundBytes, `${fillBytes} bytes while loading, bound ${boundBytes}, idle ${idleBytes}`);
});
