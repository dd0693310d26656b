/**
 * Runs interleaved transactions on an engine and writes down what the callers see.
 *
 * Some workers, each a loop of transactions with pauses between any two calls; a seeded scheduler decides who goes on.
 * Few keys, ranges over all of them, short lives, and a clock that moves both ways: as many conflicts as possible.
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Commit, Engine, Operation, Transaction } from '../../src/txn/types.ts';
import { askEngine } from '../model/ask.ts';
import type { Read } from '../model/program.ts';
import { SeededRandom } from '../model/random.ts';
import type { ModelClock } from '../model/target.ts';
import { keyBytes } from '../reference/keys.ts';
import type { Ending, Happening, Recorded } from './history.ts';

export interface RecordOptions {
  readonly engine: Engine;
  readonly clock: ModelClock;
  readonly seed: number;
  readonly workers: number;
  /** Transactions of all workers together. */
  readonly transactions: number;
  /** Keys they fight for. */
  readonly keys: number;
}

export async function record(options: RecordOptions): Promise<Recorded[]> {
  const random = new SeededRandom(options.seed);
  const history: Recorded[] = [];
  const parked: (() => void)[] = [];
  const pause = () => new Promise<void>((resolve) => parked.push(resolve));
  const table = new Table(options, random, pause, history);

  let left = options.transactions;
  let working = options.workers;
  let failure: unknown;
  const worker = async (number: number): Promise<void> => {
    try {
      while (left-- > 0 && failure === undefined) await table.transaction(number);
    } catch (error) {
      failure ??= error;
    } finally {
      working--;
    }
  };
  for (let number = 0; number < options.workers; number++) void worker(number);
  while (working > 0) {
    if (parked.length > 0) parked.splice(random.below(parked.length), 1)[0]?.();
    if (random.oneIn(4)) options.clock.ms += random.oneIn(5) ? -random.below(30) : random.below(8);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (failure !== undefined) throw failure;
  return history.sort((a, b) => a.began - b.began);
}

class Table {
  readonly #options: RecordOptions;
  readonly #random: SeededRandom;
  readonly #pause: () => Promise<void>;
  readonly #history: Recorded[];
  #tickets = 0;
  #values = 0;

  constructor(options: RecordOptions, random: SeededRandom, pause: () => Promise<void>, history: Recorded[]) {
    this.#options = options;
    this.#random = random;
    this.#pause = pause;
    this.#history = history;
  }

  async transaction(worker: number): Promise<void> {
    const { engine } = this.#options;
    const random = this.#random;
    await this.#pause();
    const began = ++this.#tickets;
    const txn = engine.begin();
    const { version, timeMs } = txn;
    const happenings: Happening[] = [];
    const isReader = random.oneIn(5);
    for (let left = random.between(1, 6); left > 0; left--) {
      if (isReader || random.oneIn(2)) {
        const read = this.#read();
        happenings.push({ read, answer: await askEngine(`worker ${worker}`, read, txn) });
      } else {
        const write = this.#write();
        applyTo(txn, write);
        happenings.push({ write });
      }
      await this.#pause();
    }
    // No pause from here to the call: what is newest now is newest for the engine.
    const newest = engine.version;
    const clockMs = hybridMs(engine);
    const ending = ++this.#tickets;
    const end = await this.#end(txn);
    const ended = ++this.#tickets;
    this.#history.push({ name: `T${began}`, began, ending, ended, version, timeMs, newest, clockMs, happenings, end });
  }

  async #end(txn: Transaction): Promise<Ending> {
    const random = this.#random;
    if (random.oneIn(10)) {
      txn.abort();
      return { as: 'aborted' };
    }
    try {
      const receipt: Commit = random.oneIn(3) ? txn.commitSync() : await txn.commit();
      return { as: 'committed', version: receipt.version, timeMs: receipt.timeMs, changed: receipt.changed };
    } catch (error) {
      if (error instanceof SteleError && error.code === 'CONFLICT') return { as: 'conflict' };
      throw error;
    }
  }

  #read(): Read {
    const random = this.#random;
    const [a, b] = [this.#key(), this.#key()];
    const span = random.oneIn(3) ? {} : a < b ? { start: a, end: b } : { start: b, end: a };
    switch (random.below(9)) {
      case 0:
        return { ask: 'count', span };
      case 1:
        return {
          ask: 'scan',
          span,
          ...(random.oneIn(2) ? { limit: random.between(1, 2) } : {}),
          ...(random.oneIn(3) ? { reverse: true } : {}),
        };
      case 2:
        return { ask: random.pick(['first', 'last'] as const), span };
      case 3:
        return { ask: 'nth', span, n: random.below(3) };
      case 4:
        return { ask: random.pick(['getMany', 'getManyAsync'] as const), keys: [a, b] };
      case 5:
        return { ask: random.pick(['entry', 'has', 'getAsync'] as const), key: a };
      default:
        return { ask: 'get', key: a };
    }
  }

  #write(): Operation {
    const random = this.#random;
    const key = keyBytes(this.#key());
    if (random.oneIn(5)) return { type: 'delete', key };
    if (random.oneIn(20)) return { type: 'deleteRange', start: keyBytes('\x02k/0'), end: key };
    const value = keyBytes(String(++this.#values));
    return { type: 'put', key, value, ...(random.oneIn(3) ? { ttlMs: random.between(1, 60) } : {}) };
  }

  #key(): string {
    return `\x02k/${this.#random.below(this.#options.keys)}`;
  }
}

/** Hybrid time, which a snapshot tells. */
function hybridMs(engine: Engine): number {
  using view = engine.snapshot();
  return view.timeMs;
}

function applyTo(txn: Transaction, write: Operation): void {
  if (write.type === 'put') txn.put(write.key, write.value, write.ttlMs === undefined ? {} : { ttlMs: write.ttlMs });
  else if (write.type === 'delete') txn.delete(write.key);
  else if (write.type === 'deleteRange') txn.deleteRange(write.start, write.end);
}
