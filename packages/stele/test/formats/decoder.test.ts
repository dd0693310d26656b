/**
 * The second decoder: Python, written from the specification alone, reads what the engine has just written, and both say the same.
 *
 * The decoder checks what it reads (checksums, chain, bounds, order, counts, used pages, index, headers); here its lines are compared
 * with what the engine answers. Without python3 on the machine the tests are skipped, and say so.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Host } from '../../src/host/host.ts';
import { posixHost } from '../../src/host/posix/host.ts';
import { openEngine } from '../../src/txn/engine.ts';
import type { Engine } from '../../src/txn/types.ts';
import { type Files, filesOf, machine, sample, sampleKinds, text } from './kit.ts';

const decoder = fileURLToPath(new URL('./decoder/decoder.py', import.meta.url));
const skip = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is missing: the second decoder was not run';

interface Value {
  readonly bytes: number;
  readonly hex?: string;
  readonly sha256?: string;
}
type Back = readonly [commit: number, ordinal: number, carried: boolean];
interface Version {
  readonly key: string;
  readonly delete: boolean;
  readonly commit?: number;
  readonly value?: Value;
  readonly expiresAt?: number;
  readonly back?: Back;
  readonly table?: object;
}
interface Line {
  readonly line: string;
  readonly [field: string]: unknown;
}
interface CommitLine {
  readonly commit: number;
  readonly timeMs: number;
  readonly asserted: number;
  readonly parts: number;
  readonly operations: readonly Version[];
  readonly carried: readonly Version[];
}
interface EntryLine {
  readonly key: string;
  readonly commit: number;
  readonly ordinal: number;
  readonly tombstone: boolean;
  readonly expiresAt?: number;
  readonly value?: Value;
  readonly back?: Back;
  readonly spine?: { readonly index: number; readonly levels: readonly (readonly (readonly [number, number, number, boolean])[])[] };
}

class Dump {
  readonly #lines: readonly Line[];
  readonly commits: ReadonlyMap<number, CommitLine>;

  constructor(output: string) {
    this.#lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    this.commits = new Map(this.of<CommitLine>('commit').map((commit) => [commit.commit, commit]));
  }

  of<T>(line: string): T[] {
    return this.#lines.filter((each) => each.line === line) as unknown as T[];
  }

  /** The version an address leads to, and the commit that wrote it. */
  at([commit, ordinal, carried]: Back): { version: Version; commit: number } | undefined {
    const holder = this.commits.get(commit);
    const version = carried ? holder?.carried[ordinal] : holder?.operations[ordinal];
    return version === undefined ? undefined : { version, commit: carried ? version.commit! : commit };
  }
}

function decode(files: Files): Dump {
  const directory = mkdtempSync(join(tmpdir(), 'stele-decoder-'));
  try {
    for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
    return run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(directory: string): Dump {
  return new Dump(
    execFileSync('python3', ['-B', decoder, directory], { encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function describe(bytes: Uint8Array): Value {
  if (bytes.length <= 64) return { bytes: bytes.length, hex: hex(bytes) };
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** What engine and decoder say of the same files. */
function compare(engine: Engine, dump: Dump, nowMs: number): void {
  const entries = dump.of<EntryLine>('entry');
  const live = entries.filter((entry) => !entry.tombstone && (entry.expiresAt ?? Number.POSITIVE_INFINITY) > nowMs);
  assert.deepEqual(
    [...engine.scan()].map((entry) => ({
      key: hex(entry.key),
      commit: entry.version,
      expiresAt: entry.expiresAt,
      value: describe(entry.value),
    })),
    live.map(({ key, commit, expiresAt, value }) => ({ key, commit, expiresAt, value })),
  );
  compareChanges(engine, dump);
  for (const entry of entries.filter((_, i) => i % 40 === 0 || entries.length < 100)) compareHistory(engine, dump, entry, nowMs);
  for (const entry of entries.filter((each) => each.spine !== undefined)) {
    compareHistory(engine, dump, entry, nowMs);
    compareSpine(dump, entry);
  }
}

function compareChanges(engine: Engine, dump: Dump): void {
  const numbers = [...dump.commits.keys()];
  const first = numbers.find((number) =>
    Array.from({ length: engine.version - number + 1 }, (_, i) => number + i).every((n) => dump.commits.has(n)),
  );
  let changes: ReturnType<Engine['changes']>;
  let next: IteratorResult<ReturnType<Engine['changes']> extends IterableIterator<infer C> ? C : never>;
  try {
    changes = engine.changes(first! - 1);
    next = changes.next();
  } catch (error) {
    // Not kept for those who ask, though its bytes are still there.
    assert.equal((error as { code?: string }).code, 'HISTORY_EXPIRED');
    return;
  }
  for (; next.done !== true; next = changes.next()) {
    const change = next.value;
    const commit = dump.commits.get(change.version)!;
    assert.equal(commit.timeMs, change.timeMs);
    assert.equal(commit.asserted, change.assertedTimeMs ?? 0);
    assert.deepEqual(
      commit.operations.map((op) => ({ type: op.delete ? 'delete' : 'put', key: op.key, value: op.value, expiresAt: op.expiresAt })),
      change.operations.map((op) => ({
        type: op.type,
        key: hex(op.key),
        value: op.value === undefined ? undefined : describe(op.value),
        expiresAt: op.expiresAt,
      })),
      `commit ${change.version}`,
    );
    for (const [i, op] of change.operations.entries()) {
      const { back } = commit.operations[i]!;
      const superseded = back === undefined ? 0 : back[2] ? commit.carried[back[1]]!.commit! : back[0];
      if (op.previousVersion !== 0 || dump.commits.has(superseded))
        assert.equal(op.previousVersion, superseded, `commit ${change.version}, operation ${i}`);
    }
  }
}

/** Follows the back addresses from the entry. */
function compareHistory(engine: Engine, dump: Dump, entry: EntryLine, nowMs: number): void {
  const told: { version: number; value: Value | undefined }[] = [];
  let commit = entry.commit;
  let version: { value?: Value; expiresAt?: number; back?: Back } | undefined = entry;
  let endMs = nowMs;
  while (version !== undefined) {
    const timeMs = dump.commits.get(commit)?.timeMs ?? 0;
    if (version.expiresAt !== undefined && version.expiresAt <= endMs) told.push({ version: commit, value: undefined });
    told.push({ version: commit, value: version.value });
    endMs = timeMs;
    const before: ReturnType<Dump['at']> = version.back === undefined ? undefined : dump.at(version.back);
    version = before?.version;
    commit = before?.commit ?? 0;
  }
  const history = [...engine.history(Buffer.from(entry.key, 'hex'))];
  const seen = history.map((line) => ({ version: line.version, value: line.value === undefined ? undefined : describe(line.value) }));
  // History ends where it is no longer kept, though an address may lead on.
  assert.deepEqual(seen, told.slice(0, seen.length), `history of ${entry.key}`);
  if (seen.length === 0) assert.equal(entry.expiresAt !== undefined && entry.expiresAt <= nowMs, true, `history of ${entry.key}`);
}

/** A spine says of the versions it lists what following back says. */
function compareSpine(dump: Dump, entry: EntryLine): void {
  const chain = new Map<number, Back>();
  for (let back = entry.back; back !== undefined; ) {
    const found = dump.at(back);
    if (found === undefined) break;
    chain.set(found.commit, back);
    back = found.version.back;
  }
  for (const level of entry.spine!.levels)
    for (const [commit, address, ordinal, carried] of level)
      if (chain.has(commit)) assert.deepEqual(chain.get(commit), [address, ordinal, carried], `spine of ${entry.key}`);
}

for (const kind of sampleKinds) {
  test(`the second decoder and the engine agree: ${kind}`, { skip }, async () => {
    const it = machine();
    await sample(kind, it);
    const dump = decode(filesOf(it.host.storage));
    const engine = await openEngine({ host: it.host, readOnly: true, cacheMemory: 2 ** 21 });
    compare(engine, dump, it.clock.ms);
    await engine.close();
    const [checked] = dump.of<{ indexEntries: number; headers: number }>('checked');
    assert.equal(checked!.indexEntries, engine.version);
    if (kind === 'two keys') return;
    assert.ok(checked!.headers > (kind === 'history' ? 100 : 2), `${checked!.headers} headers were derived again`);
    assert.equal(dump.of('meta').length, 2);
    const commits = [...dump.commits.values()];
    if (kind === 'history') {
      assert.ok(dump.of('segment').length > 3, 'several segments');
      assert.ok(
        commits.some((commit) => commit.parts > 1),
        'a commit in parts',
      );
      assert.ok(
        commits.some((commit) => commit.operations.some((op) => op.table !== undefined)),
        'a version table',
      );
      assert.ok(
        dump.of<EntryLine>('entry').some((entry) => entry.spine !== undefined),
        'a spine',
      );
      assert.ok(
        dump.of<EntryLine>('entry').some((entry) => entry.tombstone),
        'a tombstone',
      );
    }
    if (kind === 'an hour of history')
      assert.ok(
        commits.some((commit) => commit.carried.length > 0),
        'a carried version',
      );
  });
}

test('the second decoder reads a directory of the posix host', { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stele-decoder-'));
  const host: Host = posixHost(directory);
  const engine = await openEngine({ host, segmentBytes: 64 * 1024 });
  for (let n = 0; n < 50; n++) await engine.put(text(`\u0002k${n % 9}`), new Uint8Array(n * 800).fill(n), { durability: 'async' });
  await engine.close();
  const again = await openEngine({ host, readOnly: true });
  compare(again, run(directory), Date.now());
  await again.close();
  await host.threads.close();
  host.storage.close();
  rmSync(directory, { recursive: true });
});

test('the second decoder refuses a flipped bit of anything that counts', { skip }, async () => {
  const it = machine();
  await sample('two keys', it);
  const files = filesOf(it.host.storage);
  const [meta] = decode(files).of<{ root: number; pageBytes: number; log: readonly number[] }>('meta');
  const places: [string, number][] = [
    ['pages.db', meta!.root * meta!.pageBytes + 8000],
    ['commits.idx', 256 + 30],
    ['log-000001.seg', 300],
  ];
  for (const [name, at] of places) {
    const damaged = new Map(files);
    const bytes = files.get(name)!.slice();
    bytes[at]! ^= 4;
    damaged.set(name, bytes);
    assert.throws(() => decode(damaged), /damaged: /, name);
  }
});
