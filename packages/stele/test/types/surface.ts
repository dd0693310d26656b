/**
 * The types of the surface, held by the compiler: what must be inferred is asked for exactly, what must be refused is marked
 * `@ts-expect-error`, and there is no cast. Nothing here runs; `npm run types` is the test, surface.test.ts sees that it is compiled.
 */

import {
  type AttachedDatabase,
  type AttachedSnapshot,
  type BatchOperation,
  type Bucket,
  type Change,
  type Commit,
  commitStamp,
  type Database,
  type Difference,
  type Entry,
  type HistoryEntry,
  type Match,
  open,
  openSync,
  type PortableTransaction,
  parsePath,
  type Reader,
  type Reading,
  type Row,
  type Rows,
  type Segment,
  type Snapshot,
  type SnapshotSubtree,
  type Spot,
  type Subtree,
  type Transaction,
  toReadable,
  toWebStream,
  type Value,
  type Writer,
} from '../../src/index.ts';

/** Compiles when the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A>() {
  return <B>(_value: B, ..._same: Same<A, B> extends true ? [] : [found: B, expected: A]): void => {};
}

/** An interface has no index signature, and is a value all the same. */
interface User {
  readonly name: string;
  readonly age: number;
  readonly tags?: readonly string[];
}
declare const db: Database;
declare const users: Subtree<User>;
declare const user: User;

export async function reads(): Promise<void> {
  is<Value | undefined>()(db.get('a'));
  is<User | undefined>()(db.get<User>('a'));
  is<(number | undefined)[]>()(db.getMany<number>(['a']));
  is<boolean>()(db.has(['a', 1, 2n, true, new Uint8Array()]));
  is<Entry<User> | undefined>()(db.entry<User>('a'));
  is<'none' | 'value' | 'tree' | 'both'>()(db.kind('a'));
  is<Value | undefined>()(db.getTree());
  is<Rows<Segment>>()(db.children('a', { after: 5, reverse: true, limit: 2 }));
  is<Rows<Row<Value>>>()(db.scan());
  is<Rows<Row<User>>>()(db.scan<User>({ prefix: 'users' }));
  is<Rows<Spot>>()(db.scan({ prefix: 'users', values: false }));
  is<Row<User>[]>()(db.scan<User>().toArray());
  is<number>()(db.count({ prefix: 'a', start: 'a/b', end: ['a', 'c'] }));
  is<Row<string> | undefined>()(db.nth<string>('a', 3));
  is<User | undefined>()(await db.getAsync<User>('a'));
  is<Uint8Array | undefined>()(db.readValue('a', { offset: 1 }));
  for (const { path, value, version } of users.scan({ limit: 5 })) {
    is<Segment[]>()(path);
    is<User>()(value);
    is<number>()(version);
  }
  for (const child of db.children()) is<Segment>()(child);
  // @ts-expect-error a path has no null
  db.get([null]);
  // @ts-expect-error nor is it a number
  db.get(5);
  // @ts-expect-error a stamp is for writing
  db.get(['a', commitStamp()]);
  // @ts-expect-error unknown option
  db.scan({ prefx: 'a' });
  // @ts-expect-error options are an object
  db.scan('users');
  // @ts-expect-error no such call on a reading handle
  db.snapshot().put('a', 1);
}

export function typedSubtrees(): void {
  is<User | undefined>()(users.get('ada'));
  is<string | undefined>()(users.get('ada')?.name);
  is<(User | undefined)[]>()(users.getMany(['ada']));
  is<Entry<User> | undefined>()(users.entry('ada'));
  is<Row<User> | undefined>()(users.first());
  is<Rows<HistoryEntry<User>>>()(users.history('ada'));
  is<Rows<Match<User>>>()(users.lookup('byName', 'Ada', 36));
  is<SnapshotSubtree<User>>()(users.snapshot());
  is<User | undefined>()(users.snapshot().get('ada'));
  is<User | undefined>()(users.asOf(5).get('ada'));
  is<Subtree<User>>()(users.as({ actor: 'ada' }));
  is<Subtree<User>>()(db.subtree<User>('users', { ttl: 5, index: { byName: ['name'] } }));
  is<Subtree<number>>()(users.subtree<number>('counters'));
  is<Segment[]>()(users.path);
  void users.put('ada', user);
  void users.put('ada', { name: 'Ada', age: 36 });
  users.putSync(['ada', commitStamp()], user);
  // @ts-expect-error a user has a name
  void users.put('ada', { age: 36 });
  // @ts-expect-error and is no number
  void users.put('ada', 5);
  // @ts-expect-error nor has its age another type
  users.putSync('ada', { name: 'Ada', age: '36' });
}

export async function writes(): Promise<void> {
  is<Commit>()(await db.put('a', user, { ttl: 5, ifVersion: 0, once: 'k', durability: 'async', assertedTime: new Date() }));
  is<Commit>()(db.putSync('a', { x: [1, 2n, new Date(), null] }));
  is<Commit>()(await db.putTree('a', user, { merge: true }));
  is<number | bigint>()(await db.increment('a', 5n));
  is<Commit>()(await db.delete('a', { ifVersion: 4 }));
  is<Commit>()(
    await db.batch([
      { type: 'put', path: ['a', commitStamp()], value: user, ttl: 5 },
      { type: 'increment', path: 'n', delta: 2 },
      { type: 'check', path: 'a', ifVersion: 3 },
      { type: 'deleteTree', path: 'b' },
    ]),
  );
  const operations: BatchOperation[] = [{ type: 'delete', path: 'a' }];
  operations.push({ type: 'put', path: 'a', value: 1 });
  // @ts-expect-error a check has a version
  operations.push({ type: 'check', path: 'a' });
  // @ts-expect-error no such operation
  operations.push({ type: 'append', path: 'a', value: 1 });
  // @ts-expect-error a put has a value
  operations.push({ type: 'put', path: 'a' });
  // @ts-expect-error undefined is no value
  void db.put('a', undefined);
  // @ts-expect-error no such level
  void db.put('a', 1, { durability: 'soon' });
  // @ts-expect-error a ttl is a number
  void db.put('a', 1, { ttl: '5s' });
  // @ts-expect-error two arguments at least
  void db.put('a');
}

export async function transactions(): Promise<void> {
  is<number>()(await db.transact(() => 5));
  is<string>()(await db.transact(async (tx) => `${tx.get('a')}`));
  is<User | undefined>()(await users.transact((tx) => tx.get('ada')));
  is<void>()(
    await users.transact((tx) => {
      is<Transaction<User>>()(tx);
      tx.put('ada', user);
      is<Transaction<number>>()(tx.subtree<number>('n'));
      is<number | bigint>()(tx.increment('n'));
      is<Promise<Commit>>()(tx.committed);
      is<Date>()(tx.time);
      is<Uint8Array>()(tx.random(5));
      // @ts-expect-error a user has an age
      tx.put('ada', { name: 'Ada' });
      // @ts-expect-error what concerns the commit is said where it begins
      tx.put('ada', user, { durability: 'async' });
    }),
  );
  is<{ a: number }>()(db.transactSync(() => ({ a: 1 })));
  await using tx = await users.begin({ signal: AbortSignal.timeout(5) });
  is<Transaction<User>>()(tx);
  is<Commit>()(await tx.commit());
  using sync = db.beginSync();
  is<Commit>()(sync.commitSync());
}

export async function time(): Promise<void> {
  using snapshot = db.snapshot();
  is<Snapshot<Value>>()(snapshot);
  is<Rows<Difference>>()(snapshot.diff(users.snapshot(), { prefix: 'a' }));
  is<Snapshot<Value>>()(db.asOf({ asserted: new Date() }, { skipExpired: true }));
  for await (const change of db.changes({ from: 5, prefix: 'a' })) {
    is<Change>()(change);
    for (const { type, path } of change.ops) {
      is<'put' | 'delete'>()(type);
      is<Segment[]>()(path);
    }
  }
  using _watch = users.watch('ada', ({ version, actor }) => {
    is<number>()(version);
    is<string | undefined>()(actor);
  });
  toReadable(db.scan());
  is<ReadableStream<Row<User>>>()(toWebStream(users.scan()));
  is<ReadableStream<Change>>()(toWebStream(db.changes()));
  // @ts-expect-error a version, a Date or { asserted }
  db.asOf('yesterday');
}

export async function life(attached: AttachedDatabase, view: AttachedSnapshot): Promise<void> {
  is<Database>()(await open('./data', { durability: 'debounced' }));
  is<Database>()(openSync({ storage: './data', readOnly: true }));
  is<Database>()(db.as({ actor: 'ada', capabilities: ['read'] }));
  is<Segment[]>()(parsePath('a/#5'));
  is<User | undefined>()(attached.get<User>('a'));
  is<true>()(attached.readOnly);
  const readers: Reading[] = [db, users, db.snapshot(), users.snapshot(), db.beginSync(), attached, view];
  const buckets: Bucket[] = [db, db.subtree('a')];
  void [readers, buckets];
  // @ts-expect-error an attached database reads
  attached.put('a', 1);
  // @ts-expect-error encryption is not an option yet
  await open('./data', { encryption: {} });
  // @ts-expect-error no such capability
  db.as({ capabilities: ['root'] });
}

/** Code for the embedded and the remote database. */
export async function portable(reader: Reader, writer: Writer, usersOfBoth: Reader<User>): Promise<void> {
  is<Value | undefined>()(await reader.get('a'));
  is<User | undefined>()(await usersOfBoth.get('ada'));
  is<number>()(await reader.count('a'));
  for await (const { path, value } of reader.scan<User>({ prefix: 'users' })) {
    is<Segment[]>()(path);
    is<User>()(value);
  }
  for await (const child of reader.children('a')) is<Segment>()(child);
  is<Commit>()(await writer.put('a', user));
  is<string>()(
    await writer.transact(async (tx) => {
      is<PortableTransaction<Value>>()(tx);
      await tx.put('a', (await tx.get<number>('a')) ?? 0);
      return 'done';
    }),
  );
  // @ts-expect-error it may be a promise: await it
  reader.get<User>('a')?.name;
  // @ts-expect-error it may come later: `for await`
  for (const row of reader.scan()) void row;
}

export function portableHandles(attached: AttachedDatabase): void {
  const readers: Reader[] = [db, db.subtree('a'), db.snapshot(), db.beginSync(), attached];
  const writers: Writer[] = [db, db.subtree('a'), db.as({ actor: 'ada' })];
  const typed: Reader<User>[] = [users, users.snapshot(), users.beginSync()];
  const typedWriter: Writer<User> = users;
  void [readers, writers, typed, typedWriter];
}
