/**
 * Programs from a seed.
 *
 * A program has moods: for some hundred steps it fills, empties, churns on few keys, lets things expire, or works in
 * transactions. A uniform mix of steps would never merge a page or run a chain deep; moods do. Nothing here looks
 * at a result, so a program is the same whatever engine runs it.
 */

import { type Family, keyOf, rulePrefixes, spanIn } from './keyspace.ts';
import type { Asked, Guess, Program, Read, Setup, Span, Step, ValueText, Write } from './program.ts';
import { SeededRandom } from './random.ts';

export interface GenerateOptions {
  readonly seed: number;
  /** Steps of the program; a step is an operation, or a few of them. */
  readonly steps: number;
}

type Mood = 'fill' | 'empty' | 'hot' | 'expire' | 'transact' | 'mixed' | 'look' | 'large';

const families: Record<Mood, Partial<Record<Family, number>>> = {
  fill: { n: 5, s: 5, long: 1, raw: 1 },
  empty: { n: 5, s: 5, long: 1, raw: 1, t: 1 },
  hot: { h: 8, t: 1, raw: 1 },
  expire: { t: 8, h: 1, n: 1 },
  transact: { h: 4, t: 2, raw: 2, n: 1 },
  mixed: { n: 3, s: 3, h: 2, t: 2, long: 1, raw: 2, big: 1 },
  look: { n: 3, s: 3, h: 2, t: 2, long: 1, raw: 2, big: 1 },
  large: { big: 6, long: 2, s: 2 },
};

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
  readonly #random: SeededRandom;
  #mood: Mood = 'fill';
  #moodLeft = 0;
  /** Numbers of keys in use; grows while filling. */
  #numbers = 30;
  #appended = 0;
  /** Steps that must follow one another. */
  readonly #queue: Step[] = [];

  constructor(seed: number) {
    this.#random = new SeededRandom(seed * 2);
  }

  step(): Step {
    const random = this.#random;
    const queued = this.#queue.shift();
    if (queued !== undefined) return queued;
    if (this.#moodLeft-- <= 0) {
      this.#mood = random.weighted({ fill: 4, empty: 3, hot: 2, expire: 3, transact: 3, mixed: 5, look: 1, large: 1 });
      this.#moodLeft = random.between(20, 400);
      if (this.#mood === 'fill') this.#numbers = Math.min(50_000, this.#numbers + random.between(10, 4000));
      if (this.#mood === 'empty' && random.oneIn(3)) this.#numbers = Math.max(30, this.#numbers >>> 1);
    }
    const slot = random.below(SLOTS);
    const kind = random.weighted(kinds[this.#mood]);
    switch (kind) {
      case 'write':
        return this.#writeStep();
      case 'together':
        return {
          step: 'together',
          batches: this.#times(2, 12, () => this.#times(1, 3, () => this.#write())),
          ...this.#overlapping(),
          ...this.#durability(),
        };
      case 'clock':
        return { step: 'clock', ms: random.oneIn(6) ? -random.below(2000) : random.pick([0, 1, 1, 5, 40, 300, 2500]) };
      case 'read':
        return { step: 'read', of: this.#asked(), read: this.#read() };
      case 'open': {
        const as = random.pick(['snapshot', 'version', 'version', 'time', 'time', 'asserted'] as const);
        const back = as === 'version' ? this.#skewed(4000) : random.between(-20, this.#skewed(8000));
        return { step: 'open', slot, as, back, ...(random.oneIn(8) ? { skipExpired: true } : {}) };
      }
      case 'own':
        return random.oneIn(2) ? { step: 'own', slot, write: this.#write(true) } : { step: 'read', of: { txn: slot }, read: this.#read() };
      case 'commit':
        return { step: 'commit', slot, sync: random.oneIn(3) };
      case 'transact':
        return {
          step: 'transact',
          reads: this.#times(0, 3, () => this.#read()),
          writes: this.#times(0, 3, () => this.#write(true)),
          rival: random.oneIn(2) ? [] : this.#times(1, 2, () => this.#write(true)),
          waitMs: random.pick([0, 0, 1, 2, 39, 40]),
        };
      case 'walk':
        return { step: 'walk', slot, of: random.oneIn(2) ? 'engine' : { view: slot }, span: this.#span(), reverse: random.oneIn(3) };
      case 'stride':
        return { step: 'stride', slot, entries: random.pick([1, 3, 20, 300]) };
      case 'history':
        return { step: 'history', key: this.#key(), ...(random.oneIn(2) ? {} : { limit: random.between(1, 9) }) };
      case 'changes':
        return { step: 'changes', back: this.#skewed(200) };
      case 'retention':
        return this.#retention();
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
    const random = this.#random;
    const slot = random.below(SLOTS);
    if (random.oneIn(2)) this.#queue.push({ step: 'clock', ms: random.pick([1, 40, 300, 2500]) });
    this.#queue.push({ step: 'compact' });
    for (let held = 0; held < SLOTS; held++) {
      const of = random.oneIn(5) ? { txn: held } : { view: held };
      this.#queue.push({ step: 'read', of, read: { ask: 'count', span: {} } }, { step: 'read', of, read: { ask: 'audit' } });
    }
    for (const as of ['version', 'time', 'time'] as const) {
      const back = as === 'version' ? random.pick([0, 0, 1, 3, 30]) : random.pick([0, 1, 40, 300, 2500]);
      this.#queue.push({ step: 'open', slot, as, back }, { step: 'read', of: { view: slot }, read: { ask: 'audit' } });
      this.#queue.push({ step: 'read', of: { view: slot }, read: { ask: 'count', span: this.#span() } });
      this.#queue.push({ step: 'read', of: { view: slot }, read: { ask: 'scan', span: this.#span(), reverse: true } });
    }
    if (random.oneIn(3)) this.#queue.push({ step: 'history', key: this.#key() }, { step: 'reopen' });
    return { step: 'read', of: 'engine', read: { ask: 'count', span: {} } };
  }

  #writeStep(): Step {
    const random = this.#random;
    const asserted = random.oneIn(10) ? { asserted: random.between(1, 5000) } : {};
    const batch = random.oneIn(this.#mood === 'fill' ? 3 : 5);
    const writes = batch ? this.#times(1, this.#mood === 'fill' ? 60 : 8, () => this.#write()) : [this.#write()];
    const how =
      batch || writes[0]?.do === 'check' ? random.pick(['batch', 'batchSync'] as const) : random.pick(['put', 'put', 'putSync'] as const);
    return { step: 'write', how, writes, ...this.#durability(), ...asserted };
  }

  #write(plain = false): Write {
    const random = this.#random;
    const key = this.#key();
    const guess: { if?: Guess } = plain || !random.oneIn(12) ? {} : { if: random.pick(['right', 'right', 'none', 'wrong']) };
    const deletes = this.#mood === 'empty' ? 70 : this.#mood === 'fill' ? 3 : 22;
    if (random.below(100) >= deletes) return { do: 'put', key, value: this.#value(), ...this.#expiry(), ...guess };
    if (random.oneIn(this.#mood === 'empty' ? 14 : 30))
      return { do: 'deleteRange', ...spanIn(random, this.#family(), this.#numbers, random.pick([5, 40, 400])) };
    if (!plain && random.oneIn(20)) return { do: 'check', key, if: random.pick(['right', 'right', 'wrong']) };
    return { do: 'delete', key, ...guess };
  }

  #expiry(): { ttlMs?: number; inMs?: number } {
    const random = this.#random;
    if (this.#mood !== 'expire' && !random.oneIn(this.#mood === 'transact' ? 3 : 10)) return {};
    return random.oneIn(2) ? { ttlMs: random.pick([1, 2, 40, 300, 5000]) } : { inMs: random.pick([-50, 0, 1, 2, 40, 300, 5000]) };
  }

  #value(): ValueText {
    const random = this.#random;
    const large = this.#mood === 'large' ? 3 : 400;
    const bytes = random.oneIn(large)
      ? random.pick([1500, 2100, 4000, 16_383, 16_384, 16_385, 40_000, 200_000, 600_000])
      : random.pick([0, 1, 8, 30, 100, 100, 100, 300, 900]);
    return { at: random.below(2 ** 20 - bytes), bytes };
  }

  #read(): Read {
    const random = this.#random;
    const limits = {
      ...(random.oneIn(2) ? { reverse: true } : {}),
      ...(random.oneIn(2) ? { limit: random.pick([0, 1, 2, 10, 100]) } : {}),
      ...(random.oneIn(4) ? { values: false as const } : {}),
    };
    const ask = random.weighted({
      get: 20,
      has: 4,
      entry: 10,
      read: 3,
      getAsync: 3,
      getMany: 4,
      getManyAsync: 2,
      readMany: 2,
      scan: 8,
      forEach: 5,
      count: 10,
      first: 4,
      last: 4,
      nth: 5,
      audit: 1,
    });
    switch (ask) {
      case 'getMany':
      case 'getManyAsync':
      case 'readMany':
        return { ask, keys: this.#times(0, 40, () => this.#key()) };
      case 'scan':
        return { ask, span: this.#span(), ...limits };
      case 'forEach':
        return { ask, span: this.#span(), ...limits, ...(random.oneIn(3) ? { stopAfter: random.between(1, 5) } : {}) };
      case 'count':
      case 'first':
      case 'last':
        return { ask, span: this.#span() };
      case 'nth':
        return { ask, span: this.#span(), n: random.pick([0, 1, 2, 10, 100, 1000]) };
      case 'audit':
        return { ask };
      default:
        return { ask, key: this.#key() };
    }
  }

  #overlapping(): { reads?: string[][] } {
    return this.#random.oneIn(2) ? {} : { reads: this.#times(1, 4, () => this.#times(1, 8, () => this.#key())) };
  }

  #retention(): Step {
    const random = this.#random;
    const prefixes = ['', ...rulePrefixes.filter(() => random.oneIn(3))].sort();
    const lengths = [null, null, 0, 0, 100, 2000, 30_000];
    return { step: 'retention', rules: prefixes.map((prefix) => ({ prefix, historyMs: random.pick(lengths) })) };
  }

  #asked(): Asked {
    const slot = this.#random.below(SLOTS);
    return this.#random.pick<Asked>(['engine', 'engine', { view: slot }, { view: slot }, { txn: slot }]);
  }

  #span(): Span {
    const random = this.#random;
    const span = spanIn(random, this.#family(), this.#numbers, random.pick([3, 30, 300, 3000]));
    if (!random.oneIn(8)) return span;
    return random.pick<Span>([{ start: span.start }, { end: span.end }, {}]);
  }

  #family(): Family {
    return this.#random.weighted(families[this.#mood]);
  }

  #key(): string {
    const family = this.#family();
    // The first family is appended to in order; from its front it is emptied, as a queue is.
    if (family === 'n' && this.#mood === 'fill' && this.#random.oneIn(2)) return keyOf('n', this.#appended++);
    return keyOf(family, this.#random.below(this.#numbers));
  }

  #durability(): { durability?: 'immediate' | 'debounced' | 'async' } {
    return this.#random.oneIn(4) ? { durability: this.#random.pick(['immediate', 'debounced', 'async']) } : {};
  }

  #times<T>(low: number, high: number, make: () => T): T[] {
    return Array.from({ length: this.#random.between(low, high) }, make);
  }

  /** 0 to `end` - 1, small ones more often. */
  #skewed(end: number): number {
    return this.#random.below(this.#random.below(end) + 1);
  }
}
