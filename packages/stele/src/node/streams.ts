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

/** A web stream. Cancelling it ends the iteration; an `AbortSignal` fails it with its reason. */
export function toWebStream<T>(items: Iterable<T> | AsyncIterable<T>, options: { readonly signal?: AbortSignal } = {}): ReadableStream<T> {
  const { signal } = options;
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let stop: (() => void) | undefined;
  const end = (): void => {
    if (stop !== undefined) signal?.removeEventListener('abort', stop);
  };
  return new ReadableStream<T>({
    start(controller) {
      stop = () => {
        controller.error(signal!.reason);
        void iterator.return?.();
      };
      if (signal?.aborted === true) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    },
    async pull(controller) {
      const step = await iterator.next();
      if (signal?.aborted === true) return; // it has failed already
      if (step.done === true) {
        end();
        controller.close();
      } else controller.enqueue(step.value);
    },
    async cancel() {
      end();
      await iterator.return?.();
    },
  });
}
