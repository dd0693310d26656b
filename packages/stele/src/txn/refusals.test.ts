import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../base/errors.ts';
import { memoryHost } from '../host/memory/host.ts';
import { posixHost } from '../host/posix/host.ts';
import { openEngine } from './engine.ts';
import type { EngineOptions } from './types.ts';

const key = Uint8Array.of(2, 1);
const value = Uint8Array.of(1);

function refusal(code: string, words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SteleError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

test('openEngine() without a host says what to give it', async () => {
  for (const bad of [undefined, null, './data', {}, { host: './data' }]) {
    await assert.rejects(openEngine(bad as unknown as EngineOptions), refusal('OPTION_INVALID', /posixHost/));
  }
});

test('posixHost() refuses an empty path and unknown options', () => {
  assert.throws(() => posixHost(''), refusal('OPTION_INVALID', /empty/));
  assert.throws(() => posixHost(undefined as unknown as string), refusal('OPTION_INVALID', /path/));
  assert.throws(() => posixHost('./x', { nope: 1 } as never), refusal('OPTION_INVALID', /nope/));
});

test('wrong options, values and callbacks are refused with a typed error and nothing is written', async () => {
  const host = memoryHost();
  await assert.rejects(openEngine({ host, logger: 5 as never }), refusal('OPTION_INVALID', /logger/));
  await assert.rejects(openEngine({ host, pageSize: '8192' as never }), refusal('OPTION_INVALID', /"8192"/));
  const db = await openEngine({ host, cacheMemory: 1 << 20 });
  await assert.rejects(db.put(key, value, { ttl: 5 } as never), refusal('COMMIT_OPTIONS', /ttl.*ttlMs/));
  await assert.rejects(db.put(key, value, 5 as never), refusal('COMMIT_OPTIONS', /expected an object/));
  await assert.rejects(db.put(new TextEncoder().encode('users/ada'), value), refusal('KEY_INVALID', /byte 2 before/));
  assert.throws(() => db.get(new TextEncoder().encode('users/ada')), refusal('KEY_INVALID', /byte 2 before/));
  await assert.rejects(db.transact(undefined as never), refusal('OPTION_INVALID', /function/));
  assert.throws(() => db.onCommitted(5 as never), refusal('LISTENER_INVALID', /function/));
  for (const bad of [undefined, [], {}, { rules: [] }])
    assert.throws(() => db.setRetention(bad as never), refusal('RETENTION_RULES', /expected/));
  await assert.rejects(db.backup('./copy' as never), refusal('OPTION_INVALID', /storage/));
  assert.deepEqual([db.version, db.count()], [0, 0]);
  await db.close();
});

test('a listener that throws is told to the logger and hurts nobody', async () => {
  const told: string[] = [];
  const db = await openEngine({ host: memoryHost(), cacheMemory: 1 << 20, logger: (event) => void told.push(event.message) });
  let heard = 0;
  db.onCommitted(() => {
    throw new Error('mine');
  });
  db.onCommitted(() => heard++);
  await db.put(key, value);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(heard, 1);
  assert.ok(told.some((message) => message.includes('mine')));
  await db.close();
});

test('a read-only open of nothing leaves nothing behind', async () => {
  const host = memoryHost();
  await assert.rejects(openEngine({ host, readOnly: true }), refusal('NOT_FOUND', /creates none/));
  assert.deepEqual(host.storage.list(), []);
});
