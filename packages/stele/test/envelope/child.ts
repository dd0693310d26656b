/**
 * A small life of a database, for children that run with nothing but what they need. Prints what it saw as one line of JSON.
 *
 *   node --permission --allow-fs-read=… --allow-fs-write=… child.ts <directory>
 */

import { posixHost } from '../../src/host/posix/host.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { live } from './life.ts';

const directory = process.argv[2]!;
const host = posixHost(directory);
const seen = await live((options) => openEngine({ host, ...options }));
const { kind } = host.threads;
await host.threads.close();
host.storage.close();
const permission = (process as { permission?: { has(what: string, where?: string): boolean } }).permission;
console.log(
  JSON.stringify({
    ...seen,
    threads: kind,
    isConfined: permission !== undefined && !permission.has('fs.write', process.cwd()) && !permission.has('child'),
  }),
);
