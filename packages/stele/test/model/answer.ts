/**
 * Answers: what a read gives, in a shape that two sides can be compared in.
 *
 * The same read is put to the engine and to the reference; both become an {@link Answer}. A refusal because history is
 * not kept is an answer too. Anything else that goes wrong is a {@link Divergence}.
 */

import { isDeepStrictEqual } from 'node:util';
import { SteleError } from '../../src/base/errors.ts';
import type { Entry } from '../../src/txn/types.ts';
import { describe, describeValue } from '../reference/recovery.ts';

export type Answer = undefined | null | boolean | number | string | Uint8Array | Entry | readonly Answer[];

/** The engine said HISTORY_EXPIRED. */
export const refused = 'HISTORY_EXPIRED';

/** Engine and reference differ. */
export class Divergence extends Error {
  readonly what: string;

  constructor(what: string, expected: unknown, found: unknown, cause?: unknown) {
    super(`${what}\n  expected  ${show(expected)}\n  found     ${show(found)}`, cause === undefined ? undefined : { cause });
    this.name = 'Divergence';
    this.what = what;
  }
}

/** @throws {Divergence} */
export function expectSame(what: string, expected: Answer, found: Answer): void {
  if (same(expected, found)) return;
  if (Array.isArray(expected) && Array.isArray(found)) {
    const at = expected.findIndex((element, index) => !same(element, found[index]));
    const index = at < 0 ? expected.length : at;
    const around = `${what}: element ${index} (${expected.length} expected, ${found.length} found)`;
    throw new Divergence(around, index < expected.length ? expected[index] : 'the end', index < found.length ? found[index] : 'the end');
  }
  throw new Divergence(what, expected, found);
}

/** Equal, byte for byte. */
export function same(a: Answer, b: Answer): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((element, index) => same(element, b[index]));
  if (isEntry(a)) {
    return isEntry(b) && a.version === b.version && a.expiresAt === b.expiresAt && same(a.key, b.key) && same(a.value, b.value);
  }
  return isDeepStrictEqual(a, b);
}

function isEntry(answer: unknown): answer is Entry {
  return typeof answer === 'object' && answer !== null && 'key' in answer && 'value' in answer && 'version' in answer;
}

/** One line for people. */
export function show(answer: unknown): string {
  if (answer instanceof Uint8Array) return describeValue(answer);
  if (isEntry(answer) && answer.value instanceof Uint8Array) return describe(answer);
  if (Array.isArray(answer)) return `[${answer.slice(0, 6).map(show).join(', ')}${answer.length > 6 ? `, … ${answer.length} in all` : ''}]`;
  if (answer instanceof SteleError) return `${answer.kind} ${answer.code}: ${answer.message}`;
  if (answer instanceof Error) return answer.stack ?? answer.message;
  return typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? String(answer));
}

export type Outcome<T> = { readonly value: T; readonly error?: undefined } | { readonly error: SteleError };

/** Runs; a SteleError that is not a bug report is an outcome, everything else diverges. */
export async function outcomeOf<T>(what: string, work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof Divergence) throw error;
    if (error instanceof SteleError && error.kind !== 'internal' && error.kind !== 'corrupt') return { error };
    throw new Divergence(`${what}: threw`, 'no such error', error, error);
  }
}
