/** The process that recovery kills: writes single commits (async), says so, and waits for the end. */

import { mkdirSync } from 'node:fs';
import { keyOf, textOf } from './data.ts';
import { loadRival, type RivalName } from './rival.ts';

const [engine, directory, commits, cacheBytes] = process.argv.slice(2) as [RivalName, string, string, string];
mkdirSync(directory, { recursive: true });
const open = await loadRival(engine);
const rival = await open({ directory, durability: 'async', cacheBytes: Number(cacheBytes) });
let pending: unknown[] = [];
for (let i = 0; i < Number(commits); i++) {
  // LevelDB and lmdb take many in flight; the others return at once.
  const one = engine === 'level' || engine === 'lmdb' ? rival.putTogether(keyOf(i), textOf(i)) : rival.put(keyOf(i), textOf(i));
  if (one !== undefined) pending.push(one);
  if (pending.length === 1000) {
    await Promise.all(pending);
    pending = [];
  }
}
await Promise.all(pending);
process.send?.('written');
setInterval(() => undefined, 1000);
