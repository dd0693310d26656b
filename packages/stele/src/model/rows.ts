/**
 * Rows: what scans and listings give: lazy, made anew by each iteration, convertible.
 *
 * Specification: docs/api.md, "Iterables".
 */

import { SteleError } from '../base/errors.ts';
import { describe } from './path/layout.ts';
import type { Rows } from './types.ts';

/** Visits all rows of a new walk until told to stop; gives how many it visited. */
export type Visit<T> = (visit: (row: T) => boolean | void) => number;

/** The rows that `open` begins to give, each time it is asked; `each` goes through them at once where that is cheaper. */
export function rowsOf<T>(open: () => Iterator<T, undefined>, each?: Visit<T>): Rows<T> {
  return new LazyRows(open, each);
}

class LazyRows<T> implements Rows<T> {
  readonly #open: () => Iterator<T, undefined>;
  readonly #each: Visit<T> | undefined;

  constructor(open: () => Iterator<T, undefined>, each: Visit<T> | undefined) {
    this.#open = open;
    this.#each = each;
  }

  [Symbol.iterator](): Iterator<T, undefined> {
    return this.#open();
  }

  each(visit: (row: T) => boolean | void): number {
    if (typeof visit !== 'function')
      throw new SteleError('invalid', 'LISTENER_INVALID', `visit is ${describe(visit)}, expected a function`);
    if (this.#each !== undefined) return this.#each(visit);
    let visited = 0;
    for (const row of this) {
      visited++;
      if (visit(row) === false) break;
    }
    return visited;
  }

  toArray(): T[] {
    const rows: T[] = [];
    this.each((row) => {
      rows.push(row);
    });
    return rows;
  }
}

/** An iterator through a function of each step; ends the inner one when it is abandoned. */
export class Mapped<In, Out> implements Iterator<Out, undefined> {
  readonly #inner: Iterator<In, undefined>;
  readonly #map: (item: In) => Out;

  constructor(inner: Iterator<In, undefined>, map: (item: In) => Out) {
    this.#inner = inner;
    this.#map = map;
  }

  next(): IteratorResult<Out, undefined> {
    const step = this.#inner.next();
    return step.done === true ? step : { done: false, value: this.#map(step.value) };
  }

  return(): IteratorResult<Out, undefined> {
    this.#inner.return?.();
    return { done: true, value: undefined };
  }
}
