/**
 * Draws the parts of a program for the surface: paths, values, writes, reads, policies.
 *
 * Nothing here looks at a result, so a program is the same whatever runs it. Each family of paths has a purpose: `users` is indexed, `cache` expires, `deep` is a
 * tree with segments of every kind, `c` counts, `n` has many rows, `big` large values, `log` stamps.
 */

import { SeededRandom } from '../model/random.ts';
import type { Read } from './answers.ts';
import {
  DELTAS,
  INDEXES,
  type LifeText,
  type OptionTexts,
  type PolicyText,
  TREES,
  VALUES,
  type ValueText,
  type WriteText,
} from './program.ts';

export type Mood = 'mixed' | 'users' | 'expire' | 'declare' | 'transact' | 'past' | 'trees' | 'rows' | 'large';
export type Family = 'users' | 'cache' | 'deep' | 'c' | 'n' | 'big' | 'log' | 'top';

const FAMILIES: Readonly<Record<Mood, Partial<Record<Family, number>>>> = {
  mixed: { users: 4, cache: 3, deep: 4, c: 2, n: 2, log: 1, top: 1, big: 2 },
  users: { users: 1 },
  expire: { cache: 4, users: 2, deep: 1 },
  declare: { users: 4, cache: 3, deep: 3, n: 1 },
  transact: { users: 3, c: 3, cache: 2, deep: 2, top: 1 },
  past: { users: 2, cache: 2, deep: 3, c: 1, top: 1 },
  trees: { deep: 6, users: 2, top: 1 },
  rows: { n: 8, log: 2 },
  large: { big: 6, n: 2 },
};

const IDS = ['ada', 'bob', 'eve', '#7', '#7.5', 'bo\0b', '0x0001', '#true'];
const FIELDS = ['', '', 'name', 'name', 'email', 'age', 'address', 'address/city', 'tags', 'tags/#1', 'other', 'address/city/far'];
const DEEP = [
  '',
  'a',
  'a/b',
  'a/b/c',
  'a/b/d',
  'a\0',
  'a\0/b',
  'ab',
  'ab/c',
  '#1',
  '#1/x',
  '#-2',
  '#1.5',
  '#9007199254740993',
  '#true',
  '#false',
  '0x',
  '0xff00',
  '\\#1',
  'x\\/y',
  '#0',
  'a/#0',
  'a/#1',
  'a/#2',
];
const ONCE = ['once 1', 'once 2', 'once 3', 'once 4', 'once 5', 'once 6'];
export const PLACES = ['', 'users', 'cache', 'cache/pinned', 'deep', 'deep/a', 'deep/a\0', 'n', 'c'];

export class Drawer {
  readonly random: SeededRandom;
  mood: Mood = 'mixed';
  #once = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  family(): Family {
    return this.random.weighted(FAMILIES[this.mood]);
  }

  /** The path of a value, from the root. */
  path(family = this.family()): string {
    const { random } = this;
    switch (family) {
      case 'users': {
        if (random.oneIn(40)) return 'users';
        const field = random.pick(FIELDS);
        return `users/${random.pick(IDS)}${field === '' ? '' : `/${field}`}`;
      }
      case 'cache':
        return random.pick(['cache/a', 'cache/b', 'cache/c', 'cache/pinned/a', 'cache/pinned/b', 'cache/pinned', 'cache/a/x']);
      case 'deep': {
        const below = random.pick(DEEP);
        return below === '' ? 'deep' : `deep/${below}`;
      }
      case 'c':
        return random.pick(['c/x', 'c/y', 'c/z']);
      case 'n':
        return `n/#${random.below(random.pick([10, 100, 2500]))}`;
      case 'big':
        return random.pick(['big/1', 'big/2', 'big/3']);
      case 'log':
        return 'log';
      case 'top':
        return random.pick(['x', 'y', 'users', 'deep', 'z/z']);
    }
  }

  /** A place above what is drawn, and the rest of the path. */
  placed(path: string): { at: string; path: string } {
    const steps = split(path);
    if (this.random.below(5) < 3) return { at: '', path };
    const above = this.random.below(steps.length + 1);
    return { at: steps.slice(0, above).join('/'), path: steps.slice(above).join('/') };
  }

  /** A path to look at and below. */
  prefix(): string {
    const steps = split(this.path());
    return this.random.oneIn(6) ? '' : steps.slice(0, this.random.below(steps.length + 1)).join('/');
  }

  value(family: Family): ValueText {
    const { random } = this;
    if (family === 'big' || (this.mood === 'large' && random.oneIn(3)))
      return { bytes: random.pick([1000, 5000, 16_384, 16_385, 40_000, 120_000]), first: random.below(256) };
    if (family === 'c') return random.pick([6, 7, 8, 9, 10, 11, 18, 24, 25, 0, 15]);
    if (family === 'users' && random.oneIn(2)) return random.pick([0, 0, 1, 2, 7, 30, 31, 32, 33, 34, 36, 42]);
    const value = random.below(VALUES.length);
    // What is too long for an index comes seldom.
    return (value === 27 || value === 35) && !random.oneIn(6) ? 0 : value;
  }

  life(): { life?: LifeText } {
    const { random } = this;
    if (!random.oneIn(this.mood === 'expire' ? 2 : 6)) return {};
    const life: LifeText = random.oneIn(2)
      ? { ttl: random.pick([1, 5, 40, 40, 300, 1.5, null, 5000]) }
      : { inMs: random.pick([-50, 0, 1, 5, 40, 40, 300, 9.5, 5000]) };
    return { life };
  }

  #guess(): { if?: 'right' | 'none' | 'wrong' } {
    return this.random.oneIn(8) ? { if: this.random.pick(['right', 'right', 'none', 'wrong'] as const) } : {};
  }

  /** A write, its path below `at` or anywhere. */
  write(inBatch = false): { at: string; write: WriteText } {
    const { random } = this;
    const family = this.family();
    const from = this.path(family);
    const { at, path } = inBatch ? { at: '', path: from } : this.placed(from);
    const die = random.below(100);
    if (family === 'log' && die < 80)
      return { at, write: { do: 'put', path: at === '' ? 'log' : '', value: random.below(3), stamp: true, ...this.life() } };
    if (family === 'c' && die < 60)
      return { at, write: { do: 'increment', path, delta: random.below(DELTAS.length), ...(inBatch ? this.#guess() : {}) } };
    if (die < 55) return { at, write: { do: 'put', path, value: this.value(family), ...this.life(), ...this.#guess() } };
    if (die < 72) return { at, write: { do: 'delete', path, ...this.#guess() } };
    if (die < 78) return { at: '', write: { do: 'deleteTree', path: random.oneIn(30) ? '' : this.prefix() || from } };
    if (inBatch)
      return {
        at,
        write: random.oneIn(2)
          ? { do: 'check', path, if: random.pick(['right', 'right', 'right', 'wrong']) }
          : { do: 'increment', path, delta: 0 },
      };
    if (die < 90) {
      const place = family === 'users' ? random.pick(['users', from, from]) : from;
      return {
        at: '',
        write: {
          do: 'putTree',
          path: place,
          tree: random.below(TREES.length),
          ...(random.oneIn(2) ? { merge: true } : {}),
          ...this.life(),
        },
      };
    }
    return { at: '', write: { do: 'batch', ops: this.times(1, 7, () => this.write(true).write) } };
  }

  options(): { options?: OptionTexts } {
    const { random } = this;
    if (!random.oneIn(4)) return {};
    const options: OptionTexts = {
      ...(random.oneIn(3) ? { durability: random.pick(['immediate', 'debounced', 'async'] as const) } : {}),
      ...(random.oneIn(3) ? { asserted: random.between(1, 5000) } : {}),
      ...(random.oneIn(3) ? { actor: random.pick(['ada', 'bob']) } : {}),
      ...(random.oneIn(3) ? { reason: 'why' } : {}),
      ...(random.oneIn(4) ? { once: this.once() } : {}),
    };
    return { options };
  }

  /** Often one that was used before. */
  once(): string {
    if (this.random.oneIn(2)) this.#once++;
    return this.random.oneIn(3) ? this.random.pick(ONCE) : `key ${this.#once}`;
  }

  read(inTransaction = false): { at: string; read: Read } {
    const { random } = this;
    const { at, path } = this.placed(random.oneIn(3) ? this.prefix() : this.path());
    const limit = (): { limit?: number } => (random.oneIn(3) ? { limit: random.pick([0, 1, 2, 5, 50]) } : {});
    const reverse = (): { reverse?: boolean } => (random.oneIn(3) ? { reverse: true } : {});
    const ask = random.weighted({
      get: 14,
      getAsync: 3,
      has: 4,
      entry: 10,
      kind: 6,
      first: 4,
      last: 4,
      prefetch: 1,
      getMany: 4,
      getManyAsync: 2,
      prefetchMany: 1,
      readValue: 4,
      getTree: 9,
      children: 8,
      scan: 14,
      count: 8,
      nth: 4,
      ...(inTransaction ? { peek: 6 } : {}),
    });
    switch (ask) {
      case 'getMany':
      case 'getManyAsync':
      case 'prefetchMany':
        return { at: '', read: { ask, paths: this.times(0, 8, () => this.path()) } };
      case 'readValue':
        return {
          at: '',
          read: {
            ask,
            path: random.pick(['big/1', 'big/2', 'x', 'deep/a', 'users/ada/name', 'users/bob/name', 'deep', this.path()]),
            ...(random.oneIn(2) ? { offset: random.below(4) } : {}),
            ...(random.oneIn(2) ? { length: random.below(5) } : {}),
          },
        };
      case 'getTree':
        return {
          at,
          read: {
            ask,
            path,
            ...(random.oneIn(3) ? { depth: random.below(4) } : {}),
            ...(random.oneIn(4) ? { limit: random.below(6) } : {}),
          },
        };
      case 'children':
        return {
          at,
          read: { ask, path, ...limit(), ...reverse(), ...(random.oneIn(3) ? { after: random.pick([...IDS, 'a', '#1', 'a\0']) } : {}) },
        };
      case 'scan':
      case 'count': {
        const bounds = this.#bounds();
        if (ask === 'count') return { at: bounds.at, read: { ask, ...bounds.texts } };
        const after = random.oneIn(4) ? { after: this.#inside(bounds.texts.prefix ?? '', bounds.at) } : {};
        return {
          at: bounds.at,
          read: { ask, ...bounds.texts, ...limit(), ...reverse(), ...after, ...(random.oneIn(5) ? { values: false as const } : {}) },
        };
      }
      case 'nth':
        return { at, read: { ask, path, n: random.pick([0, 1, 2, 5, 100]) } };
      default:
        return { at, read: { ask, path } };
    }
  }

  #bounds(): { at: string; texts: { prefix?: string; start?: string; end?: string } } {
    const { random } = this;
    const { at, path: prefix } = this.placed(this.prefix());
    const texts = {
      ...(prefix === '' && random.oneIn(2) ? {} : { prefix }),
      ...(random.oneIn(3) ? { start: this.#inside(prefix, at) } : {}),
      ...(random.oneIn(3) ? { end: this.#inside(prefix, at) } : {}),
    };
    return { at, texts };
  }

  /** Mostly a path below the prefix. */
  #inside(prefix: string, at: string): string {
    const { random } = this;
    const whole = [at, prefix].filter((text) => text !== '').join('/');
    if (random.oneIn(12)) return this.path();
    for (let tries = 0; tries < 8; tries++) {
      const path = this.path();
      const [above, below] = [split(whole), split(path)];
      if (above.every((step, depth) => below[depth] === step)) return below.slice(split(at).length).join('/');
    }
    return [prefix, random.pick(['a', 'b', '#1', 'm'])].filter((text) => text !== '').join('/');
  }

  policy(path: string): PolicyText {
    const { random } = this;
    const names =
      path === 'users'
        ? ['byName', 'byEmail', 'byTown', 'bySelf']
        : path === 'n'
          ? ['byKind']
          : path === 'deep' || path === 'cache'
            ? ['byName']
            : [];
    const index: Record<string, number> = {};
    for (const name of names)
      if (random.below(10) < 4)
        index[name] =
          path === 'n'
            ? 6
            : name === 'byName'
              ? random.pick([0, 1, 1, 5])
              : name === 'byEmail'
                ? 2
                : name === 'byTown'
                  ? 3
                  : random.pick([4, 7]);
    return {
      ...(random.oneIn(3) ? { ttl: random.pick([30, 200, 5000, null]) } : {}),
      ...(random.oneIn(3) ? { history: random.pick([0, 0, 100, 2000, null]) } : {}),
      ...(random.oneIn(4) ? { durability: random.pick(['async', 'debounced', 'immediate'] as const) } : {}),
      ...(Object.keys(index).length > 0 ? { index } : {}),
    };
  }

  lookup(): { path: string; name: string; key: number[] } {
    const { random } = this;
    const path = random.oneIn(6) ? random.pick(['n', 'deep', 'cache']) : 'users';
    const name =
      path === 'n' ? 'byKind' : path === 'users' ? random.pick(['byName', 'byName', 'byEmail', 'byTown', 'bySelf', 'byNothing']) : 'byName';
    const fields = INDEXES.length > 0 ? random.pick([0, 0, 1, 1, 1, 2, 3]) : 0;
    return { path, name, key: this.times(fields, fields, () => random.pick([0, 1, 2, 6, 7, 11, 14, 17, 23, 12, 19])) };
  }

  times<T>(low: number, high: number, make: () => T): T[] {
    return Array.from({ length: this.random.between(low, high) }, make);
  }
}

/** The steps of a text path, an escaped slash apart. */
export function split(path: string): string[] {
  return path === '' ? [] : path.split(/(?<!\\)\//);
}
