/** Writes until it is killed, and says after each resolved commit that it was: what was said must be there afterwards. */

import { open } from '../../src/node/open.ts';

const db = await open(process.argv[2]!, { cacheMemory: 4 << 20 });
db.subtree('p', { ttl: Number.POSITIVE_INFINITY, index: { byN: ['n'] } });
for (let n = 0; ; n++) {
  await db.batch(
    [
      { type: 'put', path: ['p', n], value: { n } },
      { type: 'increment', path: 'count' },
    ],
    { once: `n ${n}` },
  );
  process.stdout.write(`${n}\n`);
}
