/** Where database and reference differ, and the outcomes that are compared. */

import { SteleError } from '../../src/base/errors.ts';
import type { Outcome } from './refusal.ts';
import { same, show } from './same.ts';

export class Divergence extends Error {
  /** What was asked. */
  readonly what: string;

  constructor(what: string, expected: unknown, found: unknown, cause?: unknown) {
    super(`${what}\n  expected  ${show(expected)}\n  found     ${show(found)}`, cause === undefined ? undefined : { cause });
    this.name = 'Divergence';
    this.what = what;
  }
}

/** @throws {Divergence} */
export function expectSame(what: string, expected: unknown, found: unknown): void {
  if (same(expected, found)) return;
  if (Array.isArray(expected) && Array.isArray(found)) {
    const at = expected.findIndex((element, index) => !same(element, found[index]));
    const index = at < 0 ? expected.length : at;
    const around = `${what}: element ${index} (${expected.length} expected, ${found.length} found)`;
    throw new Divergence(around, index < expected.length ? expected[index] : 'the end', index < found.length ? found[index] : 'the end');
  }
  throw new Divergence(what, expected, found);
}

export type Found<T> = { readonly value: T; readonly error?: undefined } | { readonly error: SteleError };

/** Runs; a SteleError that is no bug report is an outcome, everything else diverges. */
export function foundOf<T>(what: string, work: () => T): Found<T> {
  try {
    return { value: work() };
  } catch (error) {
    return { error: typed(what, error) };
  }
}

/** The same for a promise. */
export async function foundLater<T>(what: string, work: () => Promise<T>): Promise<Found<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: typed(what, error) };
  }
}

function typed(what: string, error: unknown): SteleError {
  if (error instanceof Divergence) throw error;
  if (error instanceof SteleError && error.kind !== 'internal' && error.kind !== 'corrupt') return error;
  throw new Divergence(`${what}: threw`, 'no such error', error, error);
}

/** Gives what was found when both succeeded. @throws {Divergence} */
export function expectOutcome<E, F>(what: string, expected: Outcome<E>, found: Found<F>): { expected: E; found: F } | undefined {
  if (expected.code !== undefined) {
    if (found.error?.code === expected.code) return undefined;
    throw new Divergence(what, expected.code, found.error ?? found.value);
  }
  if (found.error !== undefined) throw new Divergence(what, 'value' in expected ? expected.value : undefined, found.error);
  return { expected: (expected as { value: E }).value, found: found.value };
}
