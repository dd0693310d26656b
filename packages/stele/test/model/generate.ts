/**
 * Programs from a seed.
 *
 * A program has moods: for some hundred steps it fills, empties, churns on few keys, lets things expire, or works in
 * transactions. A uniform mix of steps would never merge a page or run a chain deep; moods do. Nothing here looks
 * at a result, so a program is the same whatever engine runs it.
 */

import { Drawer, type Mood } from './draw.ts';
import type { Asked, Program, Read, Setup, Step, Write } from './program.ts';
import { SeededRandom } from './random.ts';

export interface GenerateOptions {
  readonly seed: number;
  /** Steps of the program; a step is an operation, or a few of them. */
  readonly steps: number;
}

type Kind = Step['step'] | 'care';

const kinds: Record<Mood, Partial<Record<Kind, number>>> = {
  fill: { write: 60, together: 8, clock: 4, read: 14, open: 2, close: 1, walk: 1, stride: 2, history: 1, care: 1 },
  empty: { write: 60, together: 4, clock: 4, read: 14, open: 2, close: 2, walk: 1, stride: 2, history: 1, care: 2 },
  hot: { write: 50, together: 6, clock: 10, read: 14, open: 8, close: 5, history: 5, changes: 1, walk: 1, stride: 1, care: 1 },
  expire: { write: 36, together: 2, clock: 22, read: 22, open: 8, close: 4, history: 6, care: 2 },
  transact: { write: 10, clock: 8, read: 8, begin: 14, own: 26, commit: 14, abort: 2, transact: 8, care: 1 },
  mixed: {
    write: 30,
    together: 4,
    clock: 10,
    read: 20,
    open: 6,
    close: 4,
    begin: 3,
    own: 5,
    commit: 3,
    abort: 1,
    transact: 2,
    walk: 2,
    stride: 4,
    history: 3,
    changes: 1,
    retention: 1,
    care: 2,
  },
  look: { write: 5, clock: 5, read: 60, open: 10, close: 6, walk: 5, stride: 12, history: 8, changes: 2, care: 2 },
  large: { write: 30, together: 2, clock: 6, read: 20, open: 4, close: 3, history: 2, changes: 1, care: 1 },
};

const SLOTS = 4;

/** How the database of this seed is opened. */
export function generateSetup(seed: number): Setup {
  const random = new SeededRandom(seed * 2 + 1);
  return {
    pageSize: random.pick([8192, 8192, 8192, 16384, 32768]),
    cacheMemory: random.pick([1, 1, 2, 8]) * 2 ** 20,
    segmentBytes: random.pick([64 * 1024, 64 * 1024, 256 * 1024, 2 ** 20]),
    historyMs: random.pick([null, 0, 500, 3000, 20_000]),
    durability: random.pick(['immediate', 'debounced', 'async', 'async']),
    accelerator: !random.oneIn(4),
    thread: random.oneIn(2),
  };
}

export function generateProgram(options: GenerateOptions): Program {
  return { setup: generateSetup(options.seed), steps: [...generateSteps(options)] };
}

/** The steps of {@link generateProgram}, one by one. */
export function* generateSteps(options: GenerateOptions): Generator<Step> {
  const composer = new Composer(options.seed);
  for (let i = 0; i < options.steps; i++) yield composer.step();
}

class Composer {
  readonly #draw: Drawer;
  #moodLeft = 0;
  /** Steps that must follow one another. */
  readonly #queue: Step[] = [];

  constructor(seed: number) {
    this.#draw = new Drawer(seed * 2);
  }

  step(): Step {
    const { random } = this.#draw;
    const queued = this.#queue.shift();
    if (queued !== undefined) return queued;
    if (this.#moodLeft-- <= 0) {
      this.#draw.mood = random.weighted({ fill: 4, empty: 3, hot: 2, expire: 3, transact: 3, mixed: 5, look: 1, large: 1 });
      this.#moodLeft = random.between(20, 400);
      if (this.#draw.mood === 'fill') this.#draw.numbers = Math.min(50_000, this.#draw.numbers + random.between(10, 4000));
      if (this.#draw.mood === 'empty' && random.oneIn(3)) this.#draw.numbers = Math.max(30, this.#draw.numbers >>> 1);
    }
    const slot = random.below(SLOTS);
    const kind = random.weighted(kinds[this.#draw.mood]);
    switch (kind) {
      case 'write':
        return this.#writeStep();
      case 'together':
        return {
          step: 'together',
          batches: this.#draw.times(2, 12, () => this.#draw.times(1, 3, () => this.#draw.write())),
          ...this.#draw.overlapping(),
          ...this.#draw.durability(),
        };
      case 'clock':
        return { step: 'clock', ms: random.oneIn(6) ? -random.below(2000) : random.pick([0, 1, 1, 5, 40, 300, 2500]) };
      case 'read':
        return { step: 'read', of: this.#asked(), read: this.#draw.read() };
      case 'open': {
        const as = random.pick(['snapshot', 'thread', 'version', 'version', 'time', 'time', 'asserted'] as const);
        const back = as === 'version' ? this.#draw.skewed(4000) : random.between(-20, this.#draw.skewed(8000));
        return { step: 'open', slot, as, back, ...(random.oneIn(8) ? { skipExpired: true } : {}) };
      }
      case 'own':
        return random.oneIn(2)
          ? { step: 'own', slot, write: this.#draw.write(true) }
          : { step: 'read', of: { txn: slot }, read: this.#draw.read() };
      case 'begin':
        if (random.oneIn(4)) this.#lease(slot);
        return { step: 'begin', slot };
      case 'commit':
        return { step: 'commit', slot, sync: random.oneIn(3) };
      case 'transact':
        return {
          step: 'transact',
          reads: this.#draw.times(0, 3, () => this.#draw.read()),
          writes: this.#draw.times(0, 3, () => this.#draw.write(true)),
          rival: random.oneIn(2) ? [] : this.#draw.times(1, 2, () => this.#draw.write(true)),
          waitMs: random.pick([0, 0, 1, 2, 39, 40]),
        };
      case 'walk':
        return { step: 'walk', slot, of: random.oneIn(2) ? 'engine' : { view: slot }, span: this.#draw.span(), reverse: random.oneIn(3) };
      case 'stride':
        return { step: 'stride', slot, entries: random.pick([1, 3, 20, 300]) };
      case 'history':
        return { step: 'history', key: this.#draw.key(), ...(random.oneIn(2) ? {} : { limit: random.between(1, 9) }) };
      case 'changes':
        return { step: 'changes', back: this.#draw.skewed(200) };
      case 'retention':
        return this.#draw.retention();
      case 'care': {
        const step = random.weighted({ flush: 10, compact: 8, sync: 4, reopen: 5, verify: 1 });
        if (step === 'compact') return this.#swept();
        return step === 'reopen' && random.oneIn(6) ? { step, historyMs: random.pick([null, null, 0, 2000]) } : { step };
      }
      default:
        return { step: kind as 'close' | 'begin' | 'abort', slot };
    }
  }

  /** Time passes, everything is swept, and views held for long and views of just before look at what was swept. */
  #swept(): Step {
    const { random } = this.#draw;
    const slot = random.below(SLOTS);
    for (let writes = random.below(6); writes > 0; writes--) {
      const write: Write = random.oneIn(3)
        ? { do: 'delete', key: this.#draw.key() }
        : { do: 'put', key: this.#draw.key(), value: this.#draw.value(), inMs: random.pick([-50, 0, 0, 1, 40]) };
      this.#queue.push({ step: 'write', how: 'putSync', writes: [write] });
    }
    if (random.oneIn(2)) this.#queue.push({ step: 'clock', ms: random.pick([1, 40, 300, 2500]) });
    this.#queue.push({ step: 'compact' });
    for (let held = 0; held < SLOTS; held++) {
      const of = random.oneIn(5) ? { txn: held } : { view: held };
      this.#queue.push({ step: 'read', of, read: { ask: 'count', span: {} } }, { step: 'read', of, read: { ask: 'audit' } });
    }
    for (const as of ['version', 'time', 'time'] as const) {
      const back = as === 'version' ? random.pick([0, 0, 1, 3, 30]) : random.pick([0, 1, 40, 300, 2500]);
      this.#queue.push({ step: 'open', slot, as, back }, { step: 'read', of: { view: slot }, read: { ask: 'audit' } });
      this.#queue.push({ step: 'read', of: { view: slot }, read: { ask: 'count', span: this.#draw.span() } });
      this.#queue.push({ step: 'read', of: { view: slot }, read: { ask: 'scan', span: this.#draw.span(), reverse: true } });
    }
    if (random.oneIn(3)) this.#queue.push({ step: 'history', key: this.#draw.key() }, { step: 'reopen' });
    return { step: 'read', of: 'engine', read: { ask: 'count', span: {} } };
  }

  /** A transaction that reads what is about to expire, and commits just before, at, or after that. */
  #lease(slot: number): void {
    const { random } = this.#draw;
    const key = this.#draw.key();
    const ms = random.between(1, 40);
    const put: Write = { do: 'put', key, value: this.#draw.value(), ttlMs: ms };
    const reads: Read[] = [
      { ask: 'get', key },
      { ask: 'count', span: {} },
      { ask: 'scan', span: { start: key }, limit: 1 },
    ];
    this.#queue.push({ step: 'write', how: 'putSync', writes: [put] }, { step: 'begin', slot });
    this.#queue.push({ step: 'read', of: { txn: slot }, read: random.pick(reads) }, { step: 'own', slot, write: this.#draw.write(true) });
    this.#queue.push({ step: 'clock', ms: ms + random.pick([-1, 0, 0, 1]) }, { step: 'commit', slot, sync: random.oneIn(2) });
  }

  #writeStep(): Step {
    const { random } = this.#draw;
    const asserted = random.oneIn(10) ? { asserted: random.between(1, 5000) } : {};
    const batch = random.oneIn(this.#draw.mood === 'fill' ? 3 : 5);
    const writes = batch ? this.#draw.times(1, this.#draw.mood === 'fill' ? 60 : 8, () => this.#draw.write()) : [this.#draw.write()];
    const how =
      batch || writes[0]?.do === 'check' ? random.pick(['batch', 'batchSync'] as const) : random.pick(['put', 'put', 'putSync'] as const);
    return { step: 'write', how, writes, ...this.#draw.durability(), ...asserted };
  }

  #asked(): Asked {
    const slot = this.#draw.random.below(SLOTS);
    return this.#draw.random.pick<Asked>(['engine', 'thread', 'engine', { view: slot }, { view: slot }, { txn: slot }]);
  }
}
