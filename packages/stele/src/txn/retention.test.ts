import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../base/errors.ts';
import { memoryHost } from '../host/memory/host.ts';
import { openEngine } from './engine.ts';
import { Pins } from './pins.ts';
import { expiredPrefixes, firstExpired, isKept, type KeptClaim, prefixEnd, Retention } from './retention.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const range = (prefix: string, keptFrom: number) => ({ prefix: bytes(prefix), keptFrom, keptFromMs: 0 });

test('the longest matching prefix decides for a key', () => {
  const claim: KeptClaim = { ranges: [range('', 9), range('a', 2), range('a/b', 5)] };
  const kept = (key: string, commit: number) => isKept(claim, bytes(key), key.length, commit, 1);
  assert.deepEqual(
    [kept('x', 8), kept('x', 9), kept('a', 2), kept('a/b', 4), kept('a/bc', 5), kept('a/c', 2)],
    [false, true, true, false, true, true],
  );
  assert.deepEqual(
    expiredPrefixes(claim, 4, 1).map((prefix) => new TextDecoder().decode(prefix)),
    ['', 'a/b'],
  );
});

test('a range is refused only when some key in it could belong to a rule that does not reach back', () => {
  const claim: KeptClaim = { ranges: [range('', 9), range('a', 2), range('b', 2), range('b/x', 7)] };
  const refused = (start: string, end: string, commit: number) => {
    const found = firstExpired(claim, bytes(start), bytes(end), commit, 1);
    return found === undefined ? undefined : new TextDecoder().decode(found);
  };
  assert.equal(refused('a', 'b', 3), undefined);
  assert.equal(refused('a', 'b/w', 3), undefined, 'both inner rules cover it');
  assert.equal(refused('a', 'c', 3), 'b/x');
  assert.equal(refused('a', 'd', 7), '');
  assert.equal(refused('b/xa', 'b/xz', 3), 'b/x');
  assert.equal(refused('a', 'a', 3), undefined, 'an empty range asks for nothing');
});

test('horizons never move past an open view, and never back', () => {
  const pins = new Pins();
  const retention = new Retention(pins, 1000, undefined);
  const pin = { commit: 4, timeMs: 0, lastUsedMs: 0, openedAtMs: 0, open: false, older: undefined, newer: undefined };
  pins.add(pin);
  retention.advance(10, () => 8);
  assert.equal(retention.ranges[0]!.keptFrom, 4);
  pins.remove(pin);
  retention.advance(10, () => 8);
  retention.advance(10, () => 6);
  assert.equal(retention.ranges[0]!.keptFrom, 8);
});

test('lengthening a rule does not pretend to hold what is gone', () => {
  const retention = new Retention(new Pins(), 0, undefined);
  retention.setRules({ rules: [{ prefix: bytes(''), historyMs: Number.POSITIVE_INFINITY }] }, 12);
  assert.equal(retention.claim(20).ranges[0]!.keptFrom, 12);
});

test('rules that are out of order, repeated or negative are refused', () => {
  const retention = new Retention(new Pins(), 0, undefined);
  const rules = [
    [],
    [{ prefix: bytes('a'), historyMs: 1 }],
    [{ prefix: bytes(''), historyMs: -1 }],
    [{ prefix: bytes(''), historyMs: Number.NaN }],
    [
      { prefix: bytes(''), historyMs: 1 },
      { prefix: bytes('b'), historyMs: 1 },
      { prefix: bytes('a'), historyMs: 1 },
    ],
  ];
  for (const bad of rules) assert.throws(() => retention.setRules({ rules: bad }, 1), { code: 'RETENTION_RULES' });
});

test('prefixEnd() is the least key behind all keys with the prefix', () => {
  assert.deepEqual(prefixEnd(Uint8Array.of(2, 255, 255)), Uint8Array.of(3));
  assert.equal(prefixEnd(Uint8Array.of(255)), undefined);
});

test('skipExpired leaves out what is not kept and lists it in `skipped`', async () => {
  const db = await openEngine({ host: memoryHost(), cacheMemory: 1 << 20, durability: 'async' });
  db.setRetention({
    rules: [
      { prefix: Uint8Array.of(), historyMs: Number.POSITIVE_INFINITY },
      { prefix: bytes('\u0002q/'), historyMs: 0 },
    ],
  });
  await db.put(bytes('\u0002a'), bytes('1'));
  await db.put(bytes('\u0002q/1'), bytes('1'));
  const version = db.version;
  await db.put(bytes('\u0002q/2'), bytes('1'));
  const strict = db.asOf(version);
  assert.throws(
    () => [...strict.scan()],
    (error) => error instanceof SteleError && error.code === 'HISTORY_EXPIRED',
  );
  const lenient = db.asOf(version, { skipExpired: true });
  assert.deepEqual([...lenient.scan()].length, 1);
  assert.deepEqual(lenient.skipped, [bytes('\u0002q/')]);
  assert.deepEqual(db.snapshot().skipped, []);
  strict.close();
  lenient.close();
  await db.close();
});

test('a view counts right when the segment of the commits behind it has gone', async () => {
  // The count of a view takes the newest count and undoes what the log says came since; with no history nothing of a segment is kept once
  // its commits are in the tree, so the log may have gone. Found by the model rack, as LOG_DAMAGED.
  const host = memoryHost();
  const db = await openEngine({ host, historyRetention: 0, segmentBytes: 64 * 1024 });
  const at = (name: string): Uint8Array => new TextEncoder().encode(`\x02${name}`);
  await db.batch(Array.from({ length: 50 }, (_, n) => ({ type: 'put' as const, key: at(`k${n}`), value: at('v') })));
  using view = db.snapshot();
  for (let n = 0; n < 4; n++) {
    await db.put(at(`w${n}`), new Uint8Array(40_000));
    await db.flush();
  }
  await db.compact();
  assert.equal(view.count(), 50);
  await db.close();
});
