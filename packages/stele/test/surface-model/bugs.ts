/**
 * A database with a bug to order: each is a lie the rack must catch, which is how we know that it can.
 *
 * Every bug changes one call of one kind of handle; handles that are made by others (subtrees, views, transactions) are changed as they come.
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Change, Database } from '../../src/model/types.ts';
import type { Wrap } from './run.ts';

type Any = (...args: never[]) => unknown;
type Call = (original: Any, args: unknown[], handle: Handle) => unknown;
type Calls = Readonly<Record<string, Call>>;
type Handle = Record<string, Any>;
type Row = { path: unknown[]; value: unknown; version: number };

const call = (original: Any, args: unknown[]): unknown => original(...(args as never[]));
const options = (args: unknown[], at: number): Record<string, unknown> => ({ ...(args[at] as object) });
const without = (args: unknown[], at: number, ...names: string[]): unknown[] => {
  const left = options(args, at);
  for (const name of names) delete left[name];
  return args.with(at, left);
};
const rows = (list: unknown[]): unknown => Object.assign(list, { toArray: () => list });
const listed = (original: Any, args: unknown[]): unknown[] => (call(original, args) as { toArray(): unknown[] }).toArray();
/** The same bug in a call and in its blocking twin. */
const both = (name: string, one: Call): Calls => ({ [name]: one, [`${name}Sync`]: one });

/** Of databases, subtrees and views. */
const BUGS = {
  'count is one too many from eight on': { count: (original, args) => Math.floor((call(original, args) as number) * 1.125) },
  'a scan in reverse leaves out its first row': {
    scan: (original, args) => (options(args, 0)['reverse'] === true ? rows(listed(original, args).slice(1)) : call(original, args)),
  },
  'after is inclusive': {
    scan: (original, args) => {
      const { after, start, ...rest } = options(args, 0);
      return after === undefined || rest['reverse'] === true ? call(original, args) : call(original, [{ ...rest, start: after }]);
    },
  },
  'children forgets the limit': { children: (original, args) => call(original, args.length > 1 ? without(args, 1, 'limit') : args) },
  'getTree goes one level too deep': {
    getTree: (original, args) => {
      const { depth } = options(args, 1);
      return call(original, typeof depth === 'number' ? args.with(1, { ...options(args, 1), depth: depth + 1 }) : args);
    },
  },
  'last gives the first': { last: (_, args, handle) => handle['first']!(...(args as never[])) },
  'kind calls a tree a value': {
    kind: (original, args) => {
      const kind = call(original, args);
      return kind === 'both' ? 'value' : kind;
    },
  },
  'readValue forgets the offset': { readValue: (original, args) => call(original, args.length > 1 ? without(args, 1, 'offset') : args) },
  'the expiry of a put is forgotten': both('put', (original, args) =>
    call(original, args[2] === undefined ? args : without(args, 2, 'ttl', 'expiresAt')),
  ),
  'the ttl of a subtree is forgotten': both('put', (original, args) =>
    call(original, args[2] === undefined ? [args[0], args[1], { ttl: Infinity }] : args),
  ),
  'ifVersion is not looked at': both('put', (original, args) =>
    call(original, args[2] === undefined ? args : without(args, 2, 'ifVersion')),
  ),
  'a key repeated writes again': both('put', (original, args) => call(original, args[2] === undefined ? args : without(args, 2, 'once'))),
  'merge replaces': both('putTree', (original, args) => call(original, args[2] === undefined ? args : without(args, 2, 'merge'))),
  'an increment ends no expiry': {
    incrementSync: (original, args, handle) => {
      const entry = handle['entry']!(args[0] as never) as { expiresAt: unknown } | undefined;
      const sum = call(original, args);
      if (entry?.expiresAt !== undefined) handle['putSync']!(args[0] as never, sum as never, { ttl: Infinity } as never);
      return sum;
    },
  },
  'deleteTree spares the value at the path': {
    deleteTreeSync: (original, args, handle) => {
      const [path] = args as [string];
      const value = path === '' ? undefined : handle['get']!(path as never);
      const commit = call(original, args);
      return value === undefined ? commit : handle['putSync']!(path as never, value as never);
    },
  },
  'who wrote it is forgotten': { as: (_original, _args, handle) => handle },
  'asOf a version shows the newest': {
    asOf: (original, args, handle) => (typeof args[0] === 'number' ? handle['snapshot']!() : call(original, args)),
  },
  'asOf refuses what is promised': {
    asOf: (original, args, handle) => {
      const version = handle['version'] as unknown as number;
      if (typeof args[0] === 'number' && args[0] < version - 20) throw new SteleError('invalid', 'HISTORY_EXPIRED', 'gone');
      return call(original, args);
    },
  },
  'a history forgets ends by expiry': {
    history: (original, args) => rows((listed(original, args) as { expired: boolean }[]).filter(({ expired }) => !expired)),
  },
  'a diff forgets what was deleted': {
    diff: (original, args) => rows((listed(original, args) as object[]).filter((row) => 'after' in row)),
  },
  'a watcher is not told of every seventh commit': {
    watch: (original, args) => {
      const [prefix, listener] = args as [string, (change: Change) => void];
      return call(original, [prefix, (change: Change) => (change.version % 7 === 0 ? undefined : listener(change))]);
    },
  },
  'a lookup forgets its last row': { lookup: (original, args) => rows(listed(original, args).slice(0, -1)) },
  'a lookup of one field gives those of others': {
    lookup: (original, args) => (args.length > 2 ? call(original, args.slice(0, 2)) : call(original, args)),
  },
  'unique indexes are not': {
    subtree: (original, args) => {
      const { index, ...policy } = options(args, 1) as { index?: Record<string, unknown> };
      if (args.length < 2 || index === undefined) return call(original, args);
      const loose = Object.entries(index).map(([name, given]) => [
        name,
        Array.isArray(given) ? given : (given as { fields: unknown }).fields,
      ]);
      return call(original, [args[0], { ...policy, index: Object.fromEntries(loose) }]);
    },
  },
  'what is acknowledged is not on the device': both('put', (original, args) => {
    const told = (commit: object): object =>
      new Proxy(commit, { get: (_, name) => (name === 'durability' ? 'device' : (Reflect.get(commit, name, commit) as unknown)) });
    const result = call(original, args) as Promise<object> | object;
    return result instanceof Promise ? result.then(told) : told(result);
  }),
  'a copy is of nothing': { backup: async () => {} },
} satisfies Record<string, Calls>;

const TRANSACTION_BUGS = {
  'what a transaction read may change': { get: (_, args, handle) => handle['peek']!(...(args as never[])) },
  'peek joins what was read': { peek: (_, args, handle) => handle['get']!(...(args as never[])) },
  'own writes are not scanned': {
    scan: (original, args) => rows((listed(original, args) as Row[]).filter(({ version }) => version !== 0)),
  },
} satisfies Record<string, Calls>;

export type Bug = keyof typeof BUGS | keyof typeof TRANSACTION_BUGS;
export const bugNames = [...Object.keys(BUGS), ...Object.keys(TRANSACTION_BUGS)] as Bug[];

/** Handles that a call gives. */
const MADE: Readonly<Record<string, 'handle' | 'transaction'>> = {
  subtree: 'handle',
  as: 'handle',
  snapshot: 'handle',
  asOf: 'handle',
  begin: 'transaction',
  beginSync: 'transaction',
};

/** The database with the bug; without one as it is. */
export function withBug(bug?: Bug): Wrap {
  if (bug === undefined) return (db) => db;
  return wrapped({
    handle: BUGS[bug as keyof typeof BUGS] ?? {},
    transaction: TRANSACTION_BUGS[bug as keyof typeof TRANSACTION_BUGS] ?? {},
  });
}

/** Puts calls between the program and the handles of each kind. Without any nothing may differ: the rack's own test sees to that. */
export function wrapped(kinds: { readonly handle: Calls; readonly transaction: Calls }): Wrap {
  const originals = new WeakMap<object, object>();
  const wrap = <T extends object>(target: T, kind: keyof typeof kinds): T => {
    const proxy: T = new Proxy(target, {
      get(_, name) {
        const member = Reflect.get(target, name, target) as unknown;
        if (typeof member !== 'function') return member;
        // V8 takes no bound function for the method of a `using`.
        if (typeof name !== 'string') return (...args: unknown[]) => member.apply(target, args) as unknown;
        return (...given: unknown[]) => {
          const args = given.map((one) => (typeof one === 'object' && one !== null ? (originals.get(one) ?? one) : one));
          const original: Any = (...real) => member.apply(target, real) as unknown;
          const own = kinds[kind][name] as Call | undefined;
          const run = (real: unknown[]): unknown =>
            own === undefined ? call(original, real) : own(original, real, proxy as unknown as Handle);
          if (name === 'transact' || name === 'transactSync') {
            const [work, ...rest] = args as [(tx: object) => unknown, ...unknown[]];
            return run([(tx: object) => work(wrap(tx, 'transaction')), ...rest]);
          }
          const result = run(args);
          const made = name === 'subtree' ? kind : MADE[name];
          return made === undefined || result === proxy ? result : wrap(result as object, made);
        };
      },
    });
    originals.set(proxy, target);
    return proxy;
  };
  return (db: Database) => wrap(db, 'handle');
}
