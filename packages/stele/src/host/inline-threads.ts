/**
 * Threads without threads: jobs run on the caller, in turns.
 *
 * Invariants
 * - `yield()` always lets pending input and output go first, so a job cannot starve its caller.
 * - After `close()` new jobs are refused, running ones see `cancelled()`, and `close()` resolves when they have ended.
 *
 * Specification: spec/host.md, "Threads".
 */

import { closed } from './failures.ts';
import type { Hashing, ThreadJob, Threads, Timers } from './host.ts';
import type { Storage } from './storage.ts';

/** What a job is given, and how its turns are scheduled. */
export interface InlineThreadsOptions {
  readonly storage: Storage;
  readonly hashing: Hashing;
  readonly timers: Timers;
}

/** {@link Threads} of kind `inline`: the same jobs, on the calling thread. */
export function inlineThreads(options: InlineThreadsOptions): Threads {
  const running = new Set<Promise<unknown>>();
  let isClosed = false;

  return {
    kind: 'inline',
    async run<Input, Output>(
      job: ThreadJob<Input, Output>,
      input: Input,
      runOptions: { background?: boolean; signal?: { readonly aborted: boolean } } = {},
    ): Promise<Output> {
      if (isClosed) throw closed('threads');
      const turn = () => new Promise<void>((resolve) => options.timers.immediate(resolve));
      const context = {
        storage: options.storage,
        hashing: options.hashing,
        cancelled: () => isClosed || runOptions.signal?.aborted === true,
        yield: turn,
      };
      const work = turn().then(() => job.run(input, context));
      running.add(work);
      try {
        return await work;
      } finally {
        running.delete(work);
      }
    },
    async close() {
      isClosed = true;
      await Promise.allSettled(running);
    },
  };
}
