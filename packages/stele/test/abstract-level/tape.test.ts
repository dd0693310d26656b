import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTape } from './tape.ts';

test('runTape() accepts kept plans, promises and ends', async () => {
  await runTape((t) => {
    t.plan(2);
    setTimeout(() => t.is(1, 1), 1);
    t.same({ a: [1] }, { a: [1] });
  });
  await runTape(async (t) => t.ok(true));
  await runTape((t) => {
    t.throws(
      () => {
        throw new TypeError('x');
      },
      (error) => error instanceof TypeError,
    );
    t.end();
  });
});

test('runTape() rejects what is not true, or not as planned', async () => {
  await assert.rejects(runTape(async (t) => t.is(1, '1')));
  await assert.rejects(runTape(async (t) => t.isNot(t, t)));
  await assert.rejects(runTape(async (t) => t.same([1], ['1'])));
  await assert.rejects(runTape(async (t) => t.same(Buffer.from('a'), new Uint8Array([0x61]))));
  await assert.rejects(runTape(async (t) => t.ok(0)));
  await assert.rejects(
    runTape(async (t) => t.fail('said so')),
    /said so/,
  );
  await assert.rejects(runTape(async (t) => t.throws(() => {})));
  await assert.rejects(
    runTape(async (t) =>
      t.doesNotThrow(() => {
        throw new Error('x');
      }),
    ),
  );
  await assert.rejects(
    runTape(async (t) => {
      t.plan(1);
      t.pass();
      t.pass();
    }),
    /claim 2 of a plan of 1/,
  );
  await assert.rejects(
    runTape(() => Promise.reject(new Error('of the test'))),
    /of the test/,
  );
  // A plan that is never kept leaves the test open until its limit of time.
  const open = runTape(async (t) => t.plan(1)).then(() => 'ended');
  assert.equal(await Promise.race([open, new Promise((resolve) => setTimeout(resolve, 20, 'open'))]), 'open');
});
