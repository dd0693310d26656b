/**
 * The memory rack at full size: 64 MiB of cache, a page file of at least 256 MiB, everything a database is asked to do.
 *
 *   npm run rack -- memory
 *   npm run rack -- memory --cache 16 --data 80 --operations 50000 --young 4
 *
 * `work` (reads, writes, scans, history over a database that exists) is judged. `fill` (a load in batches of 1,000) is printed beside it:
 * what the application and the batches throw away lets V8's young generation grow, by some 45 MiB at this size, and that is Node's to
 * limit. With `--young 4` it came to 279 MiB under a bound of 280.
 */

import { parseArgs } from 'node:util';
import { measure } from './measure.ts';

export const summary = 'peak memory of a database several times its cache, against an idle Node with the same threads';

const MIB = 1024 * 1024;

export async function rack(args: string[]): Promise<boolean> {
  const { values: options } = parseArgs({
    args,
    options: {
      cache: { type: 'string', default: '64' },
      data: { type: 'string', default: '256' },
      operations: { type: 'string', default: '100000' },
      young: { type: 'string' },
      seed: { type: 'string', default: '1' },
    },
  });
  const cacheBytes = Number(options.cache) * MIB;
  const found = await measure({
    cacheBytes,
    dataBytes: Number(options.data) * MIB,
    operations: Number(options.operations),
    seed: Number(options.seed),
    youngMb: options.young === undefined ? undefined : Number(options.young),
  });
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;
  console.log(`page file ${mib(found.work.pageFileBytes)}, ${found.work.entries} entries, cache ${mib(cacheBytes)}`);
  console.log(`idle ${mib(found.idleBytes)}, bound ${mib(found.boundBytes)}, work ${mib(found.workBytes)}, fill ${mib(found.fillBytes)}`);
  for (const [name, { peaks }] of Object.entries({ fill: found.fill, work: found.work })) {
    const phases = Object.entries(peaks).map(([phase, bytes]) => `${phase} ${mib(bytes)}`);
    console.log(`${name}, peak after each phase: ${phases.join(', ')}`);
  }
  const isLarge = found.work.pageFileBytes >= 4 * cacheBytes;
  if (!isLarge) console.log('the page file is smaller than four caches: give more --data');
  return isLarge && found.workBytes <= found.boundBytes;
}
