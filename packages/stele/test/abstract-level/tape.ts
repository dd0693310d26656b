/**
 * What the exported suite of abstract-level uses of `tape`, on node:test: planned, promised and ended tests.
 *
 * Stricter than tape in one way: buffers and views of the same bytes differ. It fails a test for a claim that is false, a plan that is not
 * kept, a claim after the end, and (by the limit of time) for a test that never ends; tape.test.ts shows each.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** The calls on `t` that occur in the suite. */
export interface TapeContext {
  plan(claims: number): void;
  end(): void;
  is(found: unknown, expected: unknown, message?: string): void;
  isNot(found: unknown, expected: unknown, message?: string): void;
  same(found: unknown, expected: unknown, message?: string): void;
  ok(claim: unknown, message?: string): void;
  pass(message?: string): void;
  fail(message?: string): void;
  throws(work: () => unknown, expected?: (error: Error) => boolean): void;
  doesNotThrow(work: () => unknown): void;
}

export type TapeBody = (t: TapeContext) => unknown;
export type TapeTest = (name: string, body: TapeBody) => void;

const TEST_MS_MAX = 30_000;

/** A `test` function for the suite. `after` runs when a test has ended, with its name. */
export function tapeTest(after: (name: string) => Promise<void>): TapeTest {
  return (name, body) => {
    test(name, { timeout: TEST_MS_MAX }, async () => {
      try {
        await runTape(body);
      } finally {
        await after(name);
      }
    });
  };
}

/** Settles as the test ends: with its promise and its plan, or when it says so. */
export async function runTape(body: TapeBody): Promise<void> {
  let planned: number | undefined;
  let claims = 0;
  let hasEnded = false;
  let failure: unknown;
  let end!: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const claim = (check: () => void): void => {
    claims++;
    try {
      assert.ok(!hasEnded, 'a claim after the end of the test');
      assert.ok(planned === undefined || claims <= planned, `claim ${claims} of a plan of ${planned}`);
      check();
    } catch (error) {
      failure ??= error;
      // Also where nobody waits any more: then the process says it.
      if (hasEnded) throw error;
    }
    if (claims === planned || failure !== undefined) end();
  };
  const t: TapeContext = {
    plan(count) {
      planned = count;
      if (count === 0) end();
    },
    end,
    is: (found, expected, message) => claim(() => assert.equal(found, expected, message)),
    isNot: (found, expected, message) => claim(() => assert.notEqual(found, expected, message)),
    same: (found, expected, message) => claim(() => assert.deepEqual(found, expected, message)),
    ok: (found, message) => claim(() => assert.ok(found, message ?? 'expected a true claim')),
    pass: () => claim(() => {}),
    fail: (message) => claim(() => assert.fail(message ?? 'fail() was called')),
    throws: (work, expected) => claim(() => assert.throws(work, expected ?? (() => true))),
    doesNotThrow: (work) => claim(() => assert.doesNotThrow(work)),
  };
  const promise = body(t);
  if (promise instanceof Promise) {
    await promise;
    if (planned !== undefined && failure === undefined) await ended;
  } else await ended;
  hasEnded = true;
  if (failure !== undefined) throw failure;
  assert.ok(planned === undefined || claims === planned, `${claims} claims of a plan of ${planned}`);
}
