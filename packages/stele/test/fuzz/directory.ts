/**
 * Whole directories: mutated, opened, read, verified, written to, closed and opened again.
 *
 * Never another exception than a SteleError, never kind `internal`, nothing unbounded; and from rotten files (checksums do not fit any
 * more) nothing but what was really written: the state of some version, with the history and the values it had.
 */

import { createHash } from 'node:crypto';
import { openEngine } from '../../src/txn/engine.ts';
import type { Engine, Reader } from '../../src/txn/types.ts';
import { type Files, filesOf, keyOf, machine, type SampleKind, sample, storageOf, text } from '../formats/kit.ts';
import type { SeededRandom } from '../model/random.ts';
import { mutateDirectory } from './mutate.ts';
import { isAcceptable } from './targets.ts';

/** Files to begin from, and all that may ever be read from them. */
export interface Base {
  readonly name: string;
  readonly files: Files;
  readonly nowMs: number;
  readonly version: number;
  /** State by version, as one hash; only of the versions that can be asked for. */
  readonly states: ReadonlyMap<number, string>;
  /** Hash of key, version and value of all that was ever written. */
  readonly written: ReadonlySet<string>;
}

/** Closed databases of each kind, and one as a killed process leaves it. */
export async function bases(kinds: readonly SampleKind[] = ['two keys', 'history', 'an hour of history']): Promise<Base[]> {
  const all: Base[] = [];
  for (const kind of kinds) {
    const it = machine();
    await sample(kind, it);
    all.push(await baseOf(kind, filesOf(it.host.storage), it.clock.ms));
  }
  all.push(await killed());
  return all;
}

/** Flushed twice, then written to, never closed. */
async function killed(): Promise<Base> {
  const { host, clock } = machine();
  const engine = await openEngine({ host, segmentBytes: 64 * 1024, pageSize: 8192 });
  for (let n = 0; n < 90; n++) {
    clock.ms += 1000;
    engine.putSync(keyOf(`k${(n * 7) % 40}`), new Uint8Array(n === 70 ? 30_000 : 900 + n).fill(n));
    if (n % 11 === 0) engine.deleteSync(keyOf(`k${n % 40}`));
    if (n === 30 || n === 60) await engine.flush();
    if (n === 75) engine.setRetention({ rules: [{ prefix: new Uint8Array(0), historyMs: 1e9 }] });
  }
  const files = filesOf(host.storage);
  await engine.close();
  return baseOf('killed', files, clock.ms);
}

async function baseOf(name: string, files: Files, nowMs: number): Promise<Base> {
  const { host } = machine(storageOf(files), nowMs);
  const engine = await openEngine({ host, readOnly: true });
  const states = new Map<number, string>();
  const written = new Set<string>();
  for (let version = 0; version <= engine.version; version++) {
    try {
      const view = engine.asOf(version);
      states.set(version, stateOf(view));
      for (const entry of view.scan()) written.add(lineOf(entry.key, entry.version, entry.value));
      view.close();
    } catch (error) {
      if (!isAcceptable(error)) throw error;
    }
  }
  for (const entry of engine.scan())
    for (const line of engine.history(entry.key)) if (line.value !== undefined) written.add(lineOf(entry.key, line.version, line.value));
  const base = { name, files, nowMs, version: engine.version, states, written };
  await engine.close();
  return base;
}

function lineOf(key: Uint8Array, version: number, value: Uint8Array): string {
  return createHash('sha1').update(key).update(` ${version} `).update(value).digest('base64');
}

function stateOf(reader: Reader): string {
  const hash = createHash('sha1');
  for (const entry of reader.scan()) hash.update(lineOf(entry.key, entry.version, entry.value));
  return hash.digest('base64');
}

/** How often what happened. */
export type Tally = Record<string, number>;

/** One round; what is wrong, or undefined. */
export async function tryDirectory(random: SeededRandom, all: readonly Base[], tally: Tally): Promise<string | undefined> {
  const base = random.weighted({ small: 3, large: 1 }) === 'small' ? random.pick([all[0]!, all.at(-1)!]) : random.pick(all);
  const { files, isForged, what, isSingle } = mutateDirectory(random, base.files);
  const told = `${base.name}, ${isForged ? 'forged' : 'rotten'}: ${what}`;
  const before = process.memoryUsage();
  const start = performance.now();
  try {
    const wrong = await session({ base, isForged, isSingle, tally }, files, random);
    if (wrong !== undefined) return `${told}: ${wrong}`;
  } catch (error) {
    return `${told}: ${error instanceof Error ? error.stack : String(error)}`;
  }
  const ms = performance.now() - start;
  const after = process.memoryUsage();
  const grown = after.arrayBuffers + after.external - before.arrayBuffers - before.external;
  if (grown > 700_000_000) return `${told}: took ${Math.round(grown / 1e6)} MB`;
  if (ms > 10_000) return `${told}: took ${Math.round(ms)} ms`;
  return undefined;
}

interface Trial {
  readonly base: Base;
  readonly isForged: boolean;
  /** One place was changed. */
  readonly isSingle: boolean;
  readonly tally: Tally;
}

async function session(trial: Trial, files: Files, random: SeededRandom): Promise<string | undefined> {
  const storage = storageOf(files);
  const readOnly = random.oneIn(4);
  const wrong = await opened(trial, storage, { readOnly, writes: !readOnly && random.oneIn(2) });
  // Whatever was refused or written: the next opening keeps the same rules.
  return wrong ?? (random.oneIn(3) ? await opened({ ...trial, isForged: true }, storage, { readOnly: false, writes: false }) : undefined);
}

async function opened(
  trial: Trial,
  storage: ReturnType<typeof storageOf>,
  options: { readOnly: boolean; writes: boolean },
): Promise<string | undefined> {
  const { base, tally } = trial;
  const { host } = machine(storage, base.nowMs);
  let engine: Engine;
  try {
    engine = await openEngine({ host, cacheMemory: 2 ** 20, readOnly: options.readOnly });
  } catch (error) {
    if (!isAcceptable(error)) throw error;
    count(tally, `open: ${(error as { code: string }).code}`);
    return undefined;
  }
  count(tally, 'opened');
  try {
    const found = await readAll(trial, engine);
    if (found !== undefined) return found;
    if (options.writes) await write(engine, tally);
  } finally {
    await attempt(tally, 'close', () => engine.close());
  }
  return undefined;
}

async function readAll({ base, isForged, isSingle, tally }: Trial, engine: Engine): Promise<string | undefined> {
  let wrong: string | undefined;
  const isTrue = !isForged;
  await attempt(tally, 'scan', () => {
    const state = stateOf(engine);
    const expected = base.states.get(engine.version);
    if (isTrue && (engine.version > base.version || (expected !== undefined && state !== expected)))
      wrong = `the state of version ${engine.version} is not the one that was written`;
    if (isTrue && engine.version < base.version) {
      // A torn tail may cost commits nobody knows to be durable; after a clean close every one is, and one rotten place
      // is not enough to hide that.
      count(tally, 'older version');
      if (isSingle && base.name !== 'killed') wrong = `version ${engine.version}, and ${base.version} was closed cleanly`;
    }
  });
  await attempt(tally, 'count', () => engine.count());
  await attempt(tally, 'nth', () => engine.nth({}, Math.floor(engine.count({ start: keyOf('k') }) / 2)));
  await attempt(tally, 'first and last', () => [engine.first(), engine.last({ end: keyOf('k5') })]);
  await attempt(tally, 'reverse', () => {
    for (const entry of engine.scan({ reverse: true, limit: 500 })) {
      if (isTrue && !base.written.has(lineOf(entry.key, entry.version, entry.value)))
        wrong = `${entry.key} at ${entry.version} was never written`;
    }
  });
  for (const name of ['a', 'k7', 'k11', 'hot', 'large/3', 'key/0017'])
    await attempt(tally, 'history', () => {
      const key = keyOf(name);
      for (const line of engine.history(key, { limit: 200 }))
        if (isTrue && line.value !== undefined && !base.written.has(lineOf(key, line.version, line.value)))
          wrong = `history of ${name} at ${line.version} was never written`;
    });
  await attempt(tally, 'asOf', () => {
    const version = Math.floor(engine.version / 2);
    const view = engine.asOf(version);
    try {
      const state = stateOf(view);
      if (isTrue && base.states.has(version) && base.states.get(version) !== state)
        wrong = `the state as of ${version} is not the one that was written`;
    } finally {
      view.close();
    }
  });
  await attempt(tally, 'changes', () => {
    let n = 0;
    for (const change of engine.changes(0)) if (change.version < 0 || ++n > 300) break;
  });
  await attempt(tally, 'verify', () => engine.verify());
  return wrong;
}

async function write(engine: Engine, tally: Tally): Promise<void> {
  await attempt(tally, 'put', () => engine.putSync(keyOf('a'), text('after')));
  await attempt(tally, 'batch', () =>
    engine.batch(Array.from({ length: 40 }, (_, i) => ({ type: 'put' as const, key: keyOf(`k${i}`), value: new Uint8Array(i * 50) }))),
  );
  await attempt(tally, 'deleteRange', () => engine.deleteRange(keyOf('k1'), keyOf('k2')));
  await attempt(tally, 'flush', () => engine.flush());
  await attempt(tally, 'compact', () => engine.compact());
}

function count(tally: Tally, what: string): void {
  tally[what] = (tally[what] ?? 0) + 1;
}

async function attempt(tally: Tally, what: string, work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isAcceptable(error)) throw error;
    count(tally, `${what}: ${(error as { code: string }).code}`);
  }
}
