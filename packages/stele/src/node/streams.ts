/**
 * Iterables as streams, for code that pipes.
 *
 * Both are lazy and pull one item at a time; ending the stream ends the iteration and what it holds.
 */

import { Readable } from 'node:stream';

/** A Node stream in object mode. An `AbortSignal` destroys it. */
export function toReadable<T>(items: Iterable<T> | AsyncIterable<T>, options: { readonly signal?: AbortSignal } = {}): Readable {
  return Readable.from(items, { objectMode: true, ...options });
}

/** A web stream. Cancelling it ends the iteration. */
export function toWebStream<T>(items: Iterable<T> | AsyncIterable<T>, options: { readonly signal?: AbortSignal } = {}): ReadableStream<T> {
  const { signal } = options;
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  return new ReadableStream<T>({
    async pull(controller) {
      if (signal?.aborted === true) {
        await iterator.return?.();
        throw signal.reason;
      }
      const step = await iterator.next();
      if (step.done === true) controller.close();
      else controller.enqueue(step.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
