/**
 * Rows: what scans and listings give: lazy, made anew by each iteration, convertible.
 *
 * Specification: docs/api.md, "Iterables".
 */

import type { Rows } from './types.ts';

/** The rows that `open` begins to give, each time it is asked. */
export function rowsOf<T>(open: () => Iterator<T, undefined>): Rows<T> {
  return new LazyRows(open);
}

class LazyRows<T> implements Rows<T> {
  readonly #open: () => Iterator<T, undefined>;

  constructor(open: () => Iterator<T, undefined>) {
    this.#open = open;
  }

  [Symbol.iterator](): Iterator<T, undefined> {
    return this.#open();
  }

  toArray(): T[] {
    return [...this];
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
