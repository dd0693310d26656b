/** `watch` tells each commit of processes that come and go, once and in order, and waits while one holds the database. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from '../../src/index.ts';
import { scratch, stele } from './kit.ts';

test('watch tells what others commit below the prefix, also what one committed while it held the database', async (t) => {
  const db = join(scratch(t), 'data');
  await using first = await open(db);
  await first.put('jobs/1', 'before');
  await first.close();
  const watching = stele(['--db', db, 'watch', 'jobs', '--from', '1', '--every', '20ms', '--limit', '4']);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal((await stele(['--db', db, 'put', 'jobs/2', '2', '--actor', 'eve'])).exitCode, 0);
  assert.equal((await stele(['--db', db, 'put', 'other', '0'])).exitCode, 0);
  const holder = await open(db);
  await holder.put('jobs/3', 3);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await holder.batch([
    { type: 'put', path: 'jobs/4', value: 4 },
    { type: 'put', path: 'elsewhere', value: 0 },
  ]);
  await holder.close();
  assert.equal((await stele(['--db', db, 'delete', 'jobs/2'])).exitCode, 0);
  const { stdout, stderr, exitCode } = await watching;
  assert.equal(exitCode, 0);
  assert.equal(stderr, 'stele: another process holds the database: what it commits is told when it lets go\n');
  const told = stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    told.map(({ version, actor, ops }) => [version, actor, ops.map((op: { type: string; path: string }) => `${op.type} ${op.path}`)]),
    [
      [2, 'eve', ['put jobs/2']],
      [4, undefined, ['put jobs/3']],
      [5, undefined, ['put jobs/4']],
      [6, undefined, ['delete jobs/2']],
    ],
  );
});
