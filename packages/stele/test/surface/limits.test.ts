/** Limits: documented, checked at the edge, typed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchOperation } from '../../src/model/types.ts';
import { opened, refusedUnwritten } from './kit.ts';

const MIB = 1024 * 1024;

test('a path has at most 1,024 encoded bytes, below a subtree too', async (t) => {
  const { db } = opened(t);
  const invalid = { kind: 'invalid', code: 'PATH_INVALID', says: /expected at most 1024/ } as const;
  await db.put(['x'.repeat(1023)], 1);
  await db.put('y'.repeat(1023), 2);
  await db.put([new Uint8Array(511).fill(0)], 3);
  assert.deepEqual([db.get(['x'.repeat(1023)]), db.get('y'.repeat(1023)), db.get([new Uint8Array(511)])], [1, 2, 3]);
  for (const path of [['x'.repeat(1024)], 'y'.repeat(1024), [new Uint8Array(512)], ['é'.repeat(512)], ['a', 'x'.repeat(1022)]])
    await refusedUnwritten(db, () => db.put(path, 1), invalid);
  const sub = db.subtree('a'.repeat(1000));
  await sub.put('b'.repeat(22), 1);
  await refusedUnwritten(db, () => sub.put('b'.repeat(23), 1), invalid);
  await refusedUnwritten(db, () => sub.putTree('', { ['b'.repeat(23)]: 1 }), invalid);
  assert.equal(sub.children().toArray().length, 1);
});

test('a path has at most 64 segments, below a subtree too', async (t) => {
  const { db } = opened(t);
  const invalid = { kind: 'invalid', code: 'PATH_INVALID', says: /65 segments|more than 64 segments/ } as const;
  const path = new Array<string>(64).fill('s');
  await db.put(path, 1);
  assert.equal(db.get(path.join('/')), 1);
  assert.deepEqual(db.scan().toArray()[0]?.path, path);
  await refusedUnwritten(db, () => db.put([...path, 's'], 1), invalid);
  await refusedUnwritten(db, () => db.put([...path, 's'].join('/'), 1), invalid);
  const sub = db.subtree(path.slice(0, 60));
  assert.equal(sub.get('s/s/s/s'), 1);
  await refusedUnwritten(db, () => sub.put('s/s/s/s/s', 1), invalid);
  await refusedUnwritten(db, () => sub.putTree('s/s/s/s', { s: 1 }), invalid);
});

test('a value has at most 64 MiB; a large one is read in pieces and leaves its small neighbours alone', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  await db.put('small/before', 1);
  const large = new Uint8Array(64 * MIB - 1);
  large[0] = 1;
  large[large.length - 1] = 9;
  await db.put('small/large', large);
  await db.put('small/last', 2);
  assert.deepEqual(db.readValue('small/large', { offset: large.length - 2 }), new Uint8Array([0, 9]));
  assert.deepEqual(db.readValue('small/large', { length: 2 }), new Uint8Array([1, 0]));
  assert.deepEqual(
    db
      .scan({ values: false })
      .toArray()
      .map(({ path }) => path[1]),
    ['before', 'large', 'last'],
  );
  assert.deepEqual([db.get('small/before'), db.get('small/last'), db.count()], [1, 2, 3]);
  const { version } = db;
  await assert.rejects(db.put('too', new Uint8Array(64 * MIB)), {
    kind: 'invalid',
    code: 'VALUE_INVALID',
    message: /expected at most 67108864/,
  });
  assert.deepEqual([db.version, db.has('too')], [version, false]);
});

test('a batch has at most 100,000 operations', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  const operations = Array.from({ length: 100_001 }, (): BatchOperation => ({ type: 'delete', path: 'none' }));
  const tooLarge = { kind: 'invalid', code: 'BATCH_TOO_LARGE', says: /100001 operations, at most 100000/ } as const;
  await refusedUnwritten(db, () => db.batch(operations), tooLarge);
  await refusedUnwritten(db, () => db.batchSync(operations), tooLarge);
  assert.equal((await db.batch(operations.slice(1))).changed, 0);
});

test('a batch and a transaction have at most 64 MiB; putTree and deleteTree are exempt', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  const piece = new Uint8Array(22 * MIB);
  const tooLarge = { kind: 'invalid', code: 'BATCH_TOO_LARGE', says: /more than 67108864 bytes/ } as const;
  const names = ['a', 'b', 'c'];
  await refusedUnwritten(db, () => db.batch(names.map((path) => ({ type: 'put', path, value: piece }))), tooLarge);
  await refusedUnwritten(db, () => db.transact((tx) => void names.map((path) => tx.put(path, piece))), tooLarge);
  const commit = await db.putTree('t', { a: piece, b: piece, c: piece });
  assert.deepEqual([commit.changed, db.count('t')], [3, 3]);
  assert.equal((await db.deleteTree('t')).changed, 3);
});

test('idempotency keys, actors and reasons have their limits in bytes of text', async (t) => {
  const { db } = opened(t);
  const invalid = { kind: 'invalid', code: 'OPTION_INVALID' } as const;
  await db.put('a', 1, { once: 'é'.repeat(100), actor: 'é'.repeat(128), reason: 'x'.repeat(4096) });
  await refusedUnwritten(db, () => db.put('a', 1, { once: 'é'.repeat(101) }), { ...invalid, says: /1 to 200 bytes/ });
  await refusedUnwritten(db, () => db.put('a', 1, { actor: 'é'.repeat(129) }), { ...invalid, says: /258 bytes, expected at most 256/ });
  await refusedUnwritten(db, () => db.put('a', 1, { reason: 'x'.repeat(4097) }), { ...invalid, says: /4097 bytes, expected at most 4096/ });
});
