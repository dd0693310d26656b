/**
 * The basics in one sitting: values at paths, trees, counts, transactions, and the past.
 *
 * Run it: npm exec -- node examples/basic-kv/main.ts
 */

import { commitStamp, memoryStorage, open } from 'stele';

interface User {
  readonly name: string;
  readonly email: string;
}

// A directory works the same: open('./data').
await using db = await open({ storage: memoryStorage() });

// Values live at paths. A write resolves when it is safe.
const first = await db.put('users/ada', { name: 'Ada', email: 'ada@example.org' });
await db.put('users/bob', { name: 'Bob', email: 'bob@example.org' });
await db.put(['users', 'ada', 'logins'], 1);

// A subtree is the same surface below a prefix, with a type of its own.
const users = db.subtree<User>('users');
console.log('ada is', users.get('ada')?.name);
console.log('users:', users.children().toArray().join(', '));
console.log('values below users:', users.count());

// A whole nested object becomes paths, and comes back.
await db.putTree('config', { theme: 'dark', limits: { rows: 100, tags: ['a', 'b'] } });
console.log('limits:', JSON.stringify(db.getTree('config/limits')));

// Counters, and keys that sort by commit.
await db.increment('users/ada/logins');
await db.put(['events', commitStamp()], 'ada logged in');

// All or nothing, and as if alone: on conflict it runs again.
await db.transact((tx) => {
  const logins = tx.get<number>('users/ada/logins') ?? 0;
  if (logins >= 2) tx.put('users/ada/badge', 'regular');
});
console.log('badge:', db.get('users/ada/badge'));

// The past is the same call at an earlier version.
await db.as({ actor: 'admin', reason: 'married' }).put('users/ada', { name: 'Ada Lovelace', email: 'ada@example.org' });
using then = db.asOf(first.version);
console.log('then:', then.subtree<User>('users').get('ada')?.name);
for (const { version, value, actor } of db.history<{ name: string }>('users/ada'))
  console.log(`version ${version}: ${value?.name}, by ${actor ?? 'nobody'}`);

// Values that end by themselves.
await db.put('sessions/1', 'ada', { ttl: 60_000 });
console.log('session expires:', db.entry('sessions/1')?.expiresAt !== undefined);
