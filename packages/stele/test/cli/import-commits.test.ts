/** Commits of any source: those too large for one, contents that are left out, and what stands in the way of going on. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type CommitInfo, cut, importCommits, lastImported, type SourceChange, type SourceCommit } from '../../src/cli/import/commits.ts';
import { readBlobs } from '../../src/cli/import/git-blobs.ts';
import { sampleCommits } from '../../src/cli/start/sample.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Database } from '../../src/model/types.ts';
import { openSync } from '../../src/node/open.ts';
import { everything, hasGit, makeRepository, scratch } from './git-kit.ts';

function memory(t: TestContext): Database {
  const db = openSync({ storage: memoryStorage(), cacheMemory: 32 << 20 });
  t.after(() => db.close());
  return db;
}

const run = (into: Database, from = 0) => ({ into, from, signal: undefined, progress: () => {} });

function commit(hash: string, changes: SourceCommit['changes']): SourceCommit {
  return { hash, parents: [], author: 'Ada', email: '', dateMs: 1_700_000_000_000, subject: 'Much', merged: [], changes };
}

function* files(count: number, failAt = Number.POSITIVE_INFINITY): Generator<SourceChange> {
  for (let k = 0; k < count; k++) {
    if (k === failAt) throw new Error('the source broke');
    yield { kind: 'added', path: ['dir', k], value: k, bytes: 8 };
  }
}

test('a commit of very many files is made in parts; broken in between it goes on there, and none is made twice', async (t) => {
  const whole = memory(t);
  await importCommits([commit('a', files(25_000))], run(whole));
  assert.equal(whole.version, 3);
  assert.equal(whole.count('files'), 25_000);
  assert.equal(whole.count('import'), 0);
  assert.equal(whole.get<CommitInfo>(['commits', 1])!.added, 25_000);

  const db = memory(t);
  await assert.rejects(importCommits([commit('a', files(25_000, 24_000))], run(db)), /the source broke/);
  assert.equal(lastImported(db), undefined);
  assert.deepEqual(db.get('import/unfinished/commit'), { hash: 'a', parts: 2 });
  await assert.rejects(importCommits([commit('b', files(1))], run(db)), {
    code: 'SOURCE_CHANGED',
    message: /^half of commit a is here, and commit b comes next/,
  });
  await importCommits([commit('a', files(25_000))], run(db));
  assert.deepEqual(await everything(db), await everything(whole));
});

test('contents together larger than a part are divided too', async (t) => {
  const db = memory(t);
  const bytes = 20 * 1024 * 1024;
  const changes = ['a', 'b', 'c'].map((name): SourceChange => ({ kind: 'added', path: [name], value: new Uint8Array(bytes), bytes }));
  await importCommits([commit('large', changes)], run(db));
  assert.equal(db.version, 3);
  assert.equal(db.count('files'), 3);
});

test('content that is left out takes the earlier one away, and says why', async (t) => {
  const db = memory(t);
  const path = ['x'];
  await importCommits([commit('1', [{ kind: 'added', path, value: 'small', bytes: 5 }])], run(db));
  const tally = await importCommits(
    [commit('2', [{ kind: 'changed', path, value: undefined, bytes: 0, leftOut: 'too long' }])],
    run(db, 1),
  );
  assert.deepEqual([tally.leftOut, tally.deletes], [1, 1]);
  assert.equal(db.get('files/x'), undefined);
  assert.deepEqual(db.get<CommitInfo>(['commits', 2])!.leftOut, [{ path, why: 'too long' }]);
});

test('contents are read in the order they were asked for, those too long are passed over', {
  skip: hasGit ? false : 'no git on this machine',
}, async (t) => {
  const repository = makeRepository(scratch(t));
  repository.commit({ small: 'a\nb', large: 'x'.repeat(300_000), empty: '' });
  const hash = (name: string): string => repository.git('rev-parse', `HEAD:${name}`);
  await using blobs = readBlobs(repository.directory, 1000);
  for (const name of ['large', 'small', 'empty', 'small']) blobs.ask(hash(name));
  assert.deepEqual(await blobs.read(), { tooLong: 300_000 });
  assert.deepEqual(await blobs.read(), { bytes: new TextEncoder().encode('a\nb') });
  assert.deepEqual(await blobs.read(), { bytes: new Uint8Array(0) });
  assert.deepEqual(await blobs.read(), { bytes: new TextEncoder().encode('a\nb') });
  blobs.ask('0'.repeat(40));
  await assert.rejects(blobs.read(), { code: 'SOURCE_INVALID', message: /does not have the content 0{40}: a partial clone\?/ });
  blobs.ask('HEAD');
  await assert.rejects(blobs.read(), { code: 'SOURCE_INVALID', message: /expected a blob/ });
});

test('the sample is the same each time, goes on anywhere, and holds what a history can hold', async (t) => {
  const whole = memory(t);
  const tally = await importCommits(sampleCommits(), run(whole));
  assert.ok(tally.commits > 20 && tally.deletes > 0);
  const db = memory(t);
  for (const to of [7, tally.commits]) {
    const from = lastImported(db)?.n ?? 0;
    await importCommits([...sampleCommits(from)].slice(0, to - from), run(db, from));
  }
  assert.deepEqual(await everything(db), await everything(whole));
});

test('a text is cut between characters', () => {
  assert.equal(cut('abc', 3), 'abc');
  assert.equal(cut('abcd', 3), 'abc');
  assert.equal(cut('aä', 2), 'a');
  assert.equal(cut('\u{1f600}\u{1f600}', 7), '\u{1f600}');
  assert.equal(cut('\ud800', 9), '\ufffd');
});
