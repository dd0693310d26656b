/**
 * The log on a disk that loses power, or under a process that is killed, at any operation, again and again, also during recovery.
 *
 * The gate runs some seeds, `npm run rack -- log` as many as wanted.
 */

import assert from 'node:assert/strict';
import { PowerCut } from '../../src/host/faulty/power-cut.ts';
import { type FaultyStorage, faultyStorage } from '../../src/host/faulty/storage.ts';
import type { SyncStyle } from '../../src/host/storage.ts';
import { Log } from '../../src/log/log.ts';
import type { LogOptions, Position, SegmentInfo } from '../../src/log/types.ts';
import { append, below, checkAddresses, checkCommit, logOptions, type ModelCommit, type Rng, randomCommit, rng, START } from './kit.ts';

/** What a meta page would remember. */
interface Meta {
  from: Position;
  commit: number;
  checksum: number;
  segments: SegmentInfo[];
}

interface World {
  /** All commits appended so far in the history that counts. */
  models: ModelCommit[];
  /** Commits that were acknowledged as durable. */
  durable: number;
  meta: Meta;
  knownDurable: Position;
}

function work(log: Log, world: World, random: Rng): void {
  for (let i = 0; i < 25; i++) {
    const model = randomCommit(random, log.headCommit + 1, { large: random() < 0.2, operationsMax: 30 });
    const parts = model.operations.length > 3 && random() < 0.4 ? 2 + below(random, 3) : 1;
    append(log, model, parts, random);
    world.models.push(model);
    if (random() < 0.15) abandon(log, random);
    if (random() < 0.5) log.writeGroup();
    if (random() < 0.3) {
      log.writeGroup();
      log.syncNow();
      world.durable = log.durableCommit;
      if (random() < 0.5) world.knownDurable = { segment: log.durableSegment, offset: log.durableOffset };
      if (random() < 0.3) {
        world.meta = {
          from: { segment: log.headSegment, offset: log.headOffset },
          commit: log.headCommit,
          checksum: log.lastChecksum,
          segments: log.segments(),
        };
        world.knownDurable = { segment: log.durableSegment, offset: log.durableOffset };
      }
    }
    if (random() < 0.2) log.prepareSpare(20_000);
    const oldest = log.segments()[0]!;
    if (
      random() < 0.1 &&
      oldest.sealed &&
      oldest.number < world.meta.from.segment &&
      !world.meta.segments.some((info) => info.number === oldest.number)
    )
      log.dropSegment(oldest.number);
    if (random() < 0.05) world.meta.segments = world.meta.segments.slice(1);
  }
}

/** Parts of a commit that is given up. */
function abandon(log: Log, random: Rng): void {
  const key = new Uint8Array([1]);
  for (let n = below(random, 3); n >= 0; n--) {
    log.reserve(2000);
    log.beginPart(log.headCommit + 1, 1_800_000_000_000);
    log.put(key, 1, key, 0, 1, 0, 0, 0, false, undefined);
    if (n > 0 || random() < 0.5) log.endPart(false);
  }
  log.abortCommit();
}

function open(options: LogOptions, world: World): Log {
  const found: number[] = [];
  const log = Log.recover(
    {
      ...options,
      from: world.meta.from,
      fromCommit: world.meta.commit,
      fromChecksum: world.meta.checksum,
      knownDurable: world.knownDurable,
      segments: world.meta.segments,
    },
    (view) => {
      const model = world.models[view.commit - 1];
      assert.ok(model !== undefined, `commit ${view.commit} was never written`);
      checkCommit(view, model);
      found.push(view.commit);
    },
  );
  const last = found.at(-1) ?? world.meta.commit;
  assert.equal(log.headCommit, last);
  assert.ok(last >= world.durable, `commit ${world.durable} was durable, only ${last} came back`);
  world.models.length = last;
  world.durable = last;
  return log;
}

/** One life after the other on the same disk, each ended at a random operation. @throws {AssertionError} */
export function lives(seed: number, end: 'power' | 'kill', syncStyle: SyncStyle): void {
  const random = rng(seed);
  let storage: FaultyStorage = faultyStorage({ seed, syncStyle });
  const world: World = { models: [], durable: 0, meta: { from: START, commit: 0, checksum: 0, segments: [] }, knownDurable: START };
  Log.create(logOptions(storage)).close();
  for (let life = 0; life < 12; life++) {
    const at = 1 + below(random, 60);
    const options = end === 'power' ? { seed: seed * 100 + life, powerCutAt: at } : { seed: seed * 100 + life, killAt: at };
    storage = end === 'power' && life > 0 ? storage.reboot(options) : storage.killProcess(options);
    let log: Log | undefined;
    try {
      log = open(logOptions(storage), world);
      work(log, world, random);
      log.close();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    if (log !== undefined && end === 'kill') world.durable = log.writtenCommit;
  }
  const calm = end === 'power' ? storage.reboot({ seed }) : storage.killProcess({ seed });
  const log = open(logOptions(calm), world);
  const kept = new Set(log.segments().map((info) => info.number));
  const oldest = Math.min(...kept);
  checkAddresses(log, world.models.filter((model) => model.segment >= oldest).slice(-20));
  log.close();
}
