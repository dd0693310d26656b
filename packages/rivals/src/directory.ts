/** Sizes of files in an engine's directory. */

import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes allocated by the files whose name matches, all by default; sparse and preallocated parts count as the system counts them. */
export function fileBytes(directory: string, matches: RegExp = /./): number {
  let total = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) total += fileBytes(join(directory, entry.name), matches);
    else if (matches.test(entry.name)) total += statSync(join(directory, entry.name)).size;
  }
  return total;
}

/** As fileBytes, up to the last byte of each file that is not zero: what was written into preallocated files. */
export function writtenBytes(directory: string, matches: RegExp): number {
  let total = 0;
  const block = Buffer.alloc(1 << 16);
  for (const name of readdirSync(directory).filter((name) => matches.test(name))) {
    const file = openSync(join(directory, name), 'r');
    let end = statSync(join(directory, name)).size;
    while (end > 0) {
      const start = Math.max(0, end - block.length);
      const count = readSync(file, block, 0, end - start, start);
      let last = count - 1;
      while (last >= 0 && block[last] === 0) last--;
      end = start + last + 1;
      if (last >= 0) break;
    }
    closeSync(file);
    total += end;
  }
  return total;
}
