/**
 * The fast slice of the stress: `npm run rack -- threads --seconds 60` runs it longer.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stress } from './stress.ts';

test('threads read only what was so, while the owner writes, flushes, evicts and merges', { timeout: 60_000 }, async () => {
  const reached: Record<string, number> = {};
  for (const historyRetention of [0, Number.POSITIVE_INFINITY]) {
    const { counters, stats, checked } = await stress({ seed: 7, seconds: 1.5, threads: 1, historyRetention });
    assert.ok(checked > 1000, `${checked} observations`);
    assert.ok(Number(stats['pages']!['evictions']) > 0, 'pages were evicted');
    for (const [name, count] of Object.entries(counters)) reached[name] = (reached[name] ?? 0) + count;
  }
  for (const name of ['retries', 'storedPages', 'oldVersions', 'largeValues', 'leafCopies', 'countsByScan']) {
    assert.ok(reached[name]! > 0, `${name} was not reached: ${JSON.stringify(reached)}`);
  }
});
