/**
 * Programs for the surface from a seed.
 *
 * A program has moods: for some dozen steps it works on indexed records, lets things expire, declares, reads the past. Some stretches are scenes: steps
 * that belong together, such as a transaction that meets what it read, or a crash inside a declaration.
 */

import { SeededRandom } from '../model/random.ts';
import type { Read } from './answers.ts';
import { Drawer, type Mood, PLACES } from './draw.ts';
import type { Asked, Program, Setup, Step, WriteText } from './program.ts';

const SLOTS = 4;

type Kind = Exclude<Step['step'], 'crash' | 'bulk'> | 'crash' | 'bulk' | 'scene';

const KINDS: Readonly<Record<Mood, Partial<Record<Kind, number>>>> = {
  mixed: {
    read: 34,
    write: 40,
    together: 4,
    transact: 4,
    begin: 3,
    own: 6,
    commit: 3,
    abort: 1,
    declare: 3,
    policy: 2,
    lookup: 6,
    time: 7,
    open: 6,
    close: 2,
    history: 5,
    diff: 3,
    changes: 3,
    watch: 2,
    unwatch: 1,
    walk: 3,
    stride: 6,
    audit: 1,
    care: 2,
    reopen: 1,
    crash: 1,
    backup: 1,
    rebuild: 1,
    scene: 3,
  },
  users: {
    write: 50,
    read: 16,
    lookup: 26,
    own: 6,
    begin: 2,
    commit: 3,
    declare: 3,
    open: 3,
    time: 4,
    audit: 1,
    care: 1,
    rebuild: 2,
    transact: 3,
    together: 3,
    scene: 4,
  },
  expire: {
    write: 44,
    read: 26,
    time: 22,
    lookup: 8,
    open: 8,
    history: 6,
    diff: 2,
    declare: 2,
    care: 3,
    walk: 2,
    stride: 4,
    own: 4,
    begin: 2,
    commit: 2,
    scene: 4,
  },
  declare: {
    declare: 22,
    write: 28,
    read: 10,
    lookup: 16,
    policy: 12,
    time: 6,
    open: 8,
    crash: 2,
    rebuild: 4,
    history: 4,
    reopen: 2,
    begin: 2,
    own: 5,
    commit: 3,
    care: 3,
    scene: 6,
  },
  transact: { begin: 14, own: 36, commit: 14, abort: 2, transact: 12, write: 14, time: 4, read: 6, declare: 1, scene: 8 },
  past: {
    open: 18,
    read: 34,
    history: 14,
    diff: 10,
    write: 18,
    time: 10,
    lookup: 8,
    policy: 4,
    changes: 6,
    close: 4,
    care: 4,
    declare: 2,
    audit: 1,
  },
  trees: { write: 30, read: 30, diff: 4, open: 3, walk: 3, stride: 6, audit: 1, time: 2 },
  rows: {
    bulk: 3,
    write: 30,
    read: 30,
    walk: 4,
    stride: 8,
    open: 4,
    care: 6,
    declare: 1,
    lookup: 4,
    time: 4,
    together: 4,
    diff: 1,
    changes: 2,
  },
  large: { write: 34, bulk: 3, read: 20, care: 8, open: 6, history: 4, time: 6, reopen: 1, diff: 1, changes: 1 },
};

/** How the database of this seed is opened. */
export function generateSetup(seed: number): Setup {
  const random = new SeededRandom(seed * 2 + 1);
  return {
    seed,
    durability: random.pick(['immediate', 'debounced', 'async', 'async']),
    historyMs: random.pick([null, null, 0, 500, 3000]),
    cacheMemory: 2 ** 20,
    segmentBytes: random.pick([64 * 1024, 64 * 1024, 256 * 1024]),
    pageSize: random.pick([8192, 8192, 16384, 32768]),
    accelerator: !random.oneIn(4),
    ticks: random.oneIn(3),
    syncStyle: random.pick(['barrier', 'writeThrough']),
    thread: random.oneIn(3),
  };
}

export function generateProgram({ seed, steps }: { readonly seed: number; readonly steps: number }): Program {
  const composer = new Composer(seed);
  return { setup: generateSetup(seed), steps: Array.from({ length: steps }, () => composer.step()) };
}

class Composer {
  readonly #draw: Drawer;
  readonly #isLarge: boolean;
  readonly #queue: Step[] = [];
  #moodLeft = 0;

  constructor(seed: number) {
    this.#draw = new Drawer(seed * 2);
    // Programs with many rows or large values are slow: one in seven.
    this.#isLarge = seed % 7 === 3;
  }

  step(): Step {
    const { random } = this.#draw;
    const queued = this.#queue.shift();
    if (queued !== undefined) return queued;
    if (this.#moodLeft-- <= 0) {
      const large = this.#isLarge ? { rows: 4, large: 4 } : {};
      this.#draw.mood = random.weighted<Mood>({ mixed: 5, users: 3, expire: 3, declare: 3, transact: 3, past: 3, trees: 2, ...large });
      this.#moodLeft = random.between(15, 80);
    }
    return this.#of(random.weighted(KINDS[this.#draw.mood]));
  }

  #of(kind: Kind): Step {
    const draw = this.#draw;
    const { random } = draw;
    const slot = random.below(SLOTS);
    switch (kind) {
      case 'read':
        return { step: 'read', of: this.#asked(), ...draw.read() };
      case 'write':
        return this.#write();
      case 'together':
        return { step: 'together', at: '', writes: draw.times(2, 6, () => this.#rootWrite()), ...draw.options() };
      case 'transact':
        return {
          step: 'transact',
          how: this.#how(),
          at: '',
          reads: draw
            .times(0, 3, () => ({ ...draw.read(true) }))
            .filter(({ at }) => at === '')
            .map(({ read }) => read),
          writes: draw.times(0, 3, () => this.#rootWrite(true)),
          rival: random.oneIn(2) ? [] : draw.times(1, 2, () => this.#rootWrite()),
          ...draw.options(),
        };
      case 'begin':
        return { step: 'begin', slot: slot & 1, ...draw.options() };
      case 'own':
        return this.#own(slot & 1);
      case 'commit':
        return { step: 'commit', slot: slot & 1, how: this.#how() };
      case 'abort':
        return { step: 'abort', slot: slot & 1 };
      case 'declare': {
        const path = random.pick([...PLACES, 'users', 'users']);
        return { step: 'declare', path, policy: random.oneIn(5) ? {} : draw.policy(path), ...(random.oneIn(4) ? { as: 'root' } : {}) };
      }
      case 'rebuild':
        return { step: 'rebuild', path: 'users', name: random.pick(['byName', 'byEmail', 'byTown', 'bySelf']) };
      case 'policy':
        return { step: 'policy', of: random.oneIn(2) ? 'now' : { view: slot }, path: random.oneIn(2) ? random.pick(PLACES) : draw.path() };
      case 'lookup':
        return { step: 'lookup', of: random.oneIn(3) ? { view: slot } : 'now', ...draw.lookup() };
      case 'time':
        return random.oneIn(8)
          ? { step: 'time', how: 'jump', ms: random.pick([-500, -40, -5, 5, 300]) }
          : { step: 'time', how: 'pass', ms: random.pick([0, 1, 1, 5, 5, 40, 40, 300, 2500]) };
      case 'open':
        return this.#open(slot);
      case 'history': {
        const limit = random.oneIn(3) ? { limit: random.below(5) } : {};
        return { step: 'history', of: random.oneIn(3) ? { view: slot } : 'now', ...draw.placed(draw.path()), ...limit };
      }
      case 'diff':
        return {
          step: 'diff',
          from: slot,
          to: random.below(SLOTS),
          at: random.oneIn(2) ? '' : draw.prefix(),
          ...(random.oneIn(2) ? { prefix: '' } : {}),
        };
      case 'changes': {
        const { at, path } = draw.placed(draw.prefix());
        return {
          step: 'changes',
          slot,
          at,
          prefix: path,
          ...(random.oneIn(2) ? {} : { back: random.pick([random.below(60), random.below(60), 1000]) }),
          take: random.pick([1, 3, 1000]),
        };
      }
      case 'watch': {
        const { at, path } = draw.placed(draw.prefix());
        return { step: 'watch', slot, at, prefix: path, by: random.pick(['call', 'stream']) };
      }
      case 'walk': {
        const { at, read } = draw.read();
        const given = read.ask === 'scan' || read.ask === 'children' ? read : ({ ask: 'scan', prefix: draw.prefix() } as const);
        return { step: 'walk', slot, of: random.oneIn(2) ? 'now' : this.#asked(), at: given === read ? at : '', read: given };
      }
      case 'stride':
        return { step: 'stride', slot, rows: random.pick([1, 1, 3, 1000]) };
      case 'audit':
        return { step: 'audit', of: this.#asked() };
      case 'care':
        return { step: 'care', what: random.weighted({ flush: 5, compact: 4, sync: 3, verify: 1, idle: 4 }) };
      case 'reopen':
        return {
          step: 'reopen',
          ...(random.oneIn(4) ? { historyMs: random.pick([null, 0, 2000]) } : {}),
          ...(random.oneIn(3) ? { durability: random.pick(['immediate', 'debounced', 'async'] as const) } : {}),
        };
      case 'crash':
        return this.#crash();
      case 'backup':
        return { step: 'backup', history: !random.oneIn(3) };
      case 'bulk':
        return this.#bulk();
      case 'scene':
        return this.#scene(slot);
      default:
        return { step: kind, slot };
    }
  }

  /** Something in a transaction. */
  #own(slot: number): Step {
    const draw = this.#draw;
    const kind = draw.random.weighted({ write: 10, read: 10, lookup: 3, audit: 1 });
    if (kind === 'write') return { step: 'own', slot, ...this.#ownWrite() };
    if (kind === 'read') return { step: 'read', of: { txn: slot }, ...draw.read(true) };
    return kind === 'lookup' ? { step: 'lookup', of: { txn: slot }, ...draw.lookup() } : { step: 'audit', of: { txn: slot } };
  }

  #how(): 'sync' | 'async' {
    return this.#draw.random.oneIn(3) ? 'async' : 'sync';
  }

  /** A write, and often a look at what it wrote. */
  #write(): Step {
    const draw = this.#draw;
    const { random } = draw;
    const as = random.oneIn(8) ? { as: random.pick(['ada', 'eve']) } : {};
    const { at, write } = draw.write();
    if (random.oneIn(3) && write.do !== 'batch') {
      const { path } = write;
      const read = random.pick<Read>([
        { ask: 'get', path },
        { ask: 'entry', path },
        { ask: 'kind', path },
        { ask: 'getTree', path },
        { ask: 'readValue', path, offset: random.below(3), length: random.between(1, 9) },
        { ask: 'count', prefix: path },
      ]);
      this.#queue.push({ step: 'read', of: random.pick<Asked>(['now', 'now', 'thread']), at, read });
    }
    return { step: 'write', how: this.#how(), at, write, ...draw.options(), ...as };
  }

  #rootWrite(plain = false): WriteText {
    for (;;) {
      const { at, write } = this.#draw.write();
      if (at === '' && !(plain && (write.do === 'batch' || write.do === 'check'))) return write;
    }
  }

  #ownWrite(): { at: string; write: WriteText } {
    for (;;) {
      const drawn = this.#draw.write();
      if (drawn.write.do !== 'batch' && drawn.write.do !== 'check') return drawn;
    }
  }

  #open(slot: number): Step {
    const { random } = this.#draw;
    const as = random.pick(['snapshot', 'version', 'version', 'time', 'time', 'asserted'] as const);
    const back =
      as === 'version' ? random.below(random.below(120) + 1) : random.between(-10, random.below(random.pick([50, 400, 6000])) + 1);
    return { step: 'open', slot, as, back, ...(random.oneIn(6) ? { skipExpired: true } : {}) };
  }

  #bulk(): Step {
    const { random } = this.#draw;
    const isRows = this.#draw.mood === 'rows';
    const count = isRows ? random.pick([300, 600, 1000, 2200, 5000]) : random.pick([10, 30, 45]);
    const bytes = !isRows ? random.pick([3000, 30_000]) : count === 1000 ? 900 : 0;
    if (isRows && random.oneIn(2)) {
      // More records than a step of building takes, and more leaves than a slice of a deletion.
      this.#queue.push({ step: 'declare', path: 'n', policy: { index: { byKind: 6 } } });
      this.#queue.push({ step: 'lookup', of: 'now', path: 'n', name: 'byKind', key: [7] });
      if (random.oneIn(2)) this.#queue.push({ step: 'declare', path: 'n', policy: {} });
      this.#queue.push({ step: 'write', how: 'async', at: '', write: { do: 'deleteTree', path: random.pick(['n', 'n', 'x']) } });
      if (random.oneIn(2)) this.#queue.push({ step: 'changes', slot: 0, at: '', prefix: 'n', back: 6, take: 1000 });
    }
    return { step: 'bulk', first: random.below(isRows ? 2500 : 60), count, bytes, how: this.#how() };
  }

  #crash(): Step {
    const draw = this.#draw;
    const { random } = draw;
    const mood = draw.mood;
    const during: Step[] = [];
    for (let left = random.between(1, 6); left > 0; left--) {
      const kind = random.weighted({ write: 10, declare: mood === 'declare' ? 8 : 2, together: 3, care: 3, time: 1, rebuild: 1 });
      const step = this.#of(kind);
      during.push(step);
    }
    return { step: 'crash', how: random.pick(['kill', 'power']), operation: random.pick([0, 1, 2, 3, 5, 8, 13, 30, 60]), during };
  }

  #scene(slot: number): Step {
    const draw = this.#draw;
    const { random } = draw;
    switch (random.below(9)) {
      case 8: {
        // A counter that expires goes on to its end when it is added to.
        const path = random.pick(['c/x', 'c/y']);
        const ms = random.between(2, 40);
        this.#queue.push({ step: 'write', how: this.#how(), at: '', write: { do: 'increment', path, delta: random.below(3) } });
        this.#queue.push(
          { step: 'time', how: 'pass', ms: ms + random.pick([-1, 0, 0, 1]) },
          { step: 'read', of: 'now', at: '', read: { ask: 'entry', path } },
        );
        return { step: 'write', how: 'sync', at: '', write: { do: 'put', path, value: random.pick([6, 7, 11]), life: { ttl: ms } } };
      }
      case 6:
      case 7: {
        // A transaction from its beginning to its end, perhaps with others in between.
        for (let left = random.between(2, 9); left > 0; left--) this.#queue.push(random.oneIn(6) ? this.#write() : this.#own(slot & 1));
        this.#queue.push(random.oneIn(6) ? { step: 'abort', slot: slot & 1 } : { step: 'commit', slot: slot & 1, how: this.#how() });
        return { step: 'begin', slot: slot & 1, ...draw.options() };
      }
      case 0: {
        // A transaction reads what is about to change or to expire.
        const key = draw.path();
        const ms = random.between(1, 40);
        this.#queue.push(
          { step: 'begin', slot },
          {
            step: 'read',
            of: { txn: slot },
            at: '',
            read: random.pick([{ ask: 'get', path: key }, { ask: 'count' }, { ask: 'kind', path: key }, { ask: 'peek', path: key }]),
          },
        );
        this.#queue.push({ step: 'own', slot, ...this.#ownWrite() });
        if (random.oneIn(2)) this.#queue.push({ step: 'time', how: 'pass', ms: ms + random.pick([-1, 0, 0, 1]) });
        else
          this.#queue.push({
            step: 'write',
            how: 'sync',
            at: '',
            write: { do: 'put', path: random.oneIn(3) ? draw.path() : key, value: 1 },
          });
        this.#queue.push({ step: 'commit', slot, how: this.#how() });
        return { step: 'write', how: 'sync', at: '', write: { do: 'put', path: key, value: random.below(4), life: { ttl: ms } } };
      }
      case 1: {
        // Something is declared while a transaction writes.
        const path = random.pick(['users', 'cache']);
        this.#queue.push({ step: 'own', slot, at: '', write: { do: 'put', path: `${path}/${random.pick(['ada', 'a'])}`, value: 30 } });
        this.#queue.push({ step: 'declare', path, policy: draw.policy(path) });
        if (random.oneIn(2)) this.#queue.push({ step: 'own', slot, ...this.#ownWrite() });
        this.#queue.push({ step: 'commit', slot, how: 'sync' });
        return { step: 'begin', slot };
      }
      case 2: {
        // The same key twice, the second time perhaps after a crash.
        const once = draw.once();
        const write = this.#rootWrite();
        const first: Step = { step: 'write', how: this.#how(), at: '', write, options: { once } };
        this.#queue.push(random.oneIn(3) ? { step: 'crash', how: 'kill', operation: 2, during: [first] } : this.#write());
        this.#queue.push({
          step: 'write',
          how: this.#how(),
          at: '',
          write: random.oneIn(3) ? this.#rootWrite() : write,
          options: { once },
        });
        return first;
      }
      case 3: {
        // What was swept is asked for by older views.
        this.#queue.push(this.#open((slot + 1) % SLOTS), { step: 'time', how: 'pass', ms: random.pick([40, 300, 2500]) });
        this.#queue.push({ step: 'care', what: 'compact' }, { step: 'audit', of: { view: slot } }, this.#open(slot), {
          step: 'audit',
          of: { view: slot },
        });
        this.#queue.push(
          { step: 'diff', from: slot, to: (slot + 1) % SLOTS, at: '' },
          { step: 'lookup', of: { view: slot }, ...draw.lookup() },
        );
        return { step: 'open', slot, as: 'snapshot', back: 0 };
      }
      case 4: {
        // Two records want one key, and one of them expires.
        const [one, other] = [random.pick(['ada', 'bob']), random.pick(['eve', '#7'])];
        const ms = random.between(1, 40);
        const put = (id: string, life = {}): Step => ({
          step: 'write',
          how: this.#how(),
          at: 'users',
          write: { do: 'put', path: id, value: 30, ...life },
        });
        this.#queue.push(
          put(one, { life: { ttl: ms } }),
          put(other),
          { step: 'time', how: 'pass', ms: ms + random.pick([-1, 0, 1]) },
          put(other),
        );
        this.#queue.push({ step: 'lookup', of: 'now', path: 'users', name: 'byName', key: [0] });
        if (random.oneIn(2)) {
          // Another one has what is too long for a key, and is there when the index is declared again; older views see it being built.
          const tooLong: WriteText = { do: 'put', path: `users/${random.pick(['bo\0b', '#7.5'])}`, value: 35 };
          this.#queue.push({ step: 'begin', slot: slot & 1 }, { step: 'own', slot: slot & 1, at: '', write: tooLong });
          this.#queue.push({ step: 'commit', slot: slot & 1, how: 'sync' }, { step: 'write', how: 'sync', at: '', write: tooLong });
          this.#queue.push({ step: 'declare', path: 'users', policy: {} }, { step: 'write', how: 'sync', at: '', write: tooLong });
          this.#queue.push({ step: 'declare', path: 'users', policy: { index: { byName: random.pick([0, 1]), byEmail: 2 } } });
          this.#queue.push({ step: 'write', how: 'sync', at: '', write: { do: 'delete', path: tooLong.path } });
          this.#queue.push({ step: 'declare', path: 'users', policy: { index: { byName: 0, byEmail: 2 } } });
          this.#queue.push({ step: 'open', slot, as: 'version', back: random.between(1, 4) });
          this.#queue.push({ step: 'lookup', of: { view: slot }, path: 'users', name: random.pick(['byName', 'byEmail']), key: [] });
        }
        return { step: 'declare', path: 'users', policy: { index: { byName: 1, byTown: 3 } } };
      }
      default: {
        // Built over what is there, cut off while it is built, and gone on with.
        const during: Step[] = [
          { step: 'declare', path: 'users', policy: draw.policy('users') },
          { step: 'declare', path: 'users', policy: { index: { byName: random.pick([0, 1, 5]), byEmail: 2 } } },
        ];
        this.#queue.push({ step: 'crash', how: random.pick(['kill', 'power']), operation: random.below(14), during });
        this.#queue.push(
          { step: 'lookup', of: 'now', path: 'users', name: 'byName', key: [] },
          { step: 'policy', of: 'now', path: 'users' },
        );
        return this.#write();
      }
    }
  }

  #asked(): Asked {
    const slot = this.#draw.random.below(SLOTS);
    return this.#draw.random.pick<Asked>(['now', 'now', 'now', 'thread', { view: slot }, { view: slot }, { txn: slot & 1 }]);
  }
}
