/**
 * The commit stream seen through paths: what happened, whole commit by whole commit, once or for ever.
 *
 * Invariants
 * - Changes come in commit order, none twice, none missing; whoever stopped goes on with the last version seen.
 * - `changes` gives durable commits; `watch` each at the level it asked for, behind its promise.
 * - Operations outside the prefix, and those of the system and of layers, are left out; a commit without any left is not told.
 *
 * Specification: spec/transactions.md, "History and changes"; docs/api.md, "Time".
 */

import { SteleError } from '../base/errors.ts';
import type { Change as KernelChange } from '../txn/types.ts';
import { FIELD_ACTOR, FIELD_REASON, metaField } from './identity.ts';
import { describe } from './path/layout.ts';
import type { Place } from './place.ts';
import { heldView, type Store } from './store.ts';
import type { Change, ChangeOperation, ChangesOptions } from './types.ts';

/** Larger commits are told in several changes, all but the last with `more`. */
const OPERATIONS_PER_CHANGE = 4096;

/** What is told of a commit below `place`; nothing when it touched nothing there. */
function told(store: Store, place: Place, prefix: Uint8Array, change: KernelChange): Change[] {
  const ops: ChangeOperation[] = [];
  for (const { type, key, value, expiresAt, previousVersion } of change.operations) {
    if (!isBelow(key, prefix)) continue;
    ops.push({
      type,
      path: place.path(key, 0, key.length),
      value: value === undefined ? undefined : store.codec.decode(value, 0, value.length),
      expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
      previousVersion,
    });
  }
  if (ops.length === 0) return [];
  const { version, timeMs, assertedTimeMs, meta } = change;
  const head = {
    version,
    time: new Date(timeMs),
    assertedTime: assertedTimeMs === undefined ? undefined : new Date(assertedTimeMs),
    actor: metaField(meta, FIELD_ACTOR),
    reason: metaField(meta, FIELD_REASON),
  };
  const changes: Change[] = [];
  for (let at = 0; at < ops.length; at += OPERATIONS_PER_CHANGE) {
    const part = ops.slice(at, at + OPERATIONS_PER_CHANGE);
    changes.push(at + OPERATIONS_PER_CHANGE < ops.length ? { ...head, ops: part, more: true } : { ...head, ops: part });
  }
  return changes;
}

function isBelow(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (key[at] !== prefix[at]) return false;
  // The value at the prefix, or a further segment: never the rest of an escaped one.
  return key.length === prefix.length || key[prefix.length] !== 0xff;
}

/**
 * Durable commits behind `from`, and then those that come. Ends when the database closes; a signal ends it with CANCELLED.
 *
 * @throws {SteleError} `invalid` VERSION_INVALID, PATH_INVALID; HISTORY_EXPIRED at the first step; `closed` DATABASE_CLOSED
 */
export function changesOf(store: Store, place: Place, options: ChangesOptions): AsyncIterableIterator<Change> {
  const { engine } = store;
  const { from = engine.version, prefix = [], signal } = options;
  if (!Number.isSafeInteger(from) || from < 0 || from > engine.version)
    throw new SteleError(
      'invalid',
      'VERSION_INVALID',
      `from is ${describe(from)}, expected a commit number from 0 to ${engine.version}, the newest here`,
      { detail: { found: from, newest: engine.version } },
    );
  return new ChangeStream(store, place, { from, signal, prefix: place.prefixKey(prefix) });
}

interface Told {
  readonly from: number;
  readonly prefix: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/** Can be given up while it waits for a commit that may never come; a generator alone could not. */
class ChangeStream implements AsyncIterableIterator<Change, undefined> {
  readonly #bell = new Bell();
  readonly #steps: AsyncGenerator<Change, undefined>;

  constructor(store: Store, place: Place, told: Told) {
    this.#steps = stepsOf(store, place, told, this.#bell);
  }

  next(): Promise<IteratorResult<Change, undefined>> {
    return this.#steps.next();
  }

  return(): Promise<IteratorResult<Change, undefined>> {
    this.#bell.ring(true);
    return this.#steps.return(undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

async function* stepsOf(store: Store, place: Place, { from, prefix, signal }: Told, bell: Bell): AsyncGenerator<Change, undefined> {
  const { engine } = store;
  let last = from;
  using _durable = engine.onDurable((version) => bell.ring(version === undefined));
  const stop = (): void => bell.ring(false);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      bell.quiet();
      if (!bell.isOver) {
        for (const change of engine.changes(last)) {
          for (const one of told(store, place, prefix, change)) {
            if (signal?.aborted === true) throw cancelled(signal);
            yield one;
            if (bell.isOver) return undefined;
          }
          last = change.version;
        }
      }
      if (signal?.aborted === true) throw cancelled(signal);
      if (bell.isOver) return undefined;
      await bell.rung();
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function cancelled(signal: AbortSignal): SteleError {
  return new SteleError('closed', 'CANCELLED', 'the change stream was cancelled', { cause: signal.reason });
}

/** Something to wait for that may happen before the waiting begins. */
class Bell {
  #hasRung = false;
  #wake: (() => void) | undefined;
  /** There will be no more. */
  isOver = false;

  ring(isOver: boolean): void {
    this.isOver ||= isOver;
    this.#hasRung = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  quiet(): void {
    this.#hasRung = false;
  }

  rung(): Promise<void> {
    if (this.#hasRung || this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Calls `listener` with each change below `prefix` from now on, also when the database was repaired meanwhile. */
export function watchOf(
  store: Store,
  place: Place,
  prefix: Uint8Array,
  listener: (change: Change) => void,
  log: (error: unknown) => void,
): Disposable {
  let isOver = false;
  const begin = (): Disposable => {
    const { engine } = store;
    heldView(engine).close(); // refused when it is closed
    let last = engine.version;
    return engine.onCommitted((_first, through) => {
      if (through <= last) return;
      const from = last;
      last = through;
      for (const change of engine.changes(from, through))
        for (const one of told(store, place, prefix, change)) {
          if (isOver) return;
          try {
            listener(one);
          } catch (error) {
            log(error); // the commit stands, and the others are told
          }
        }
    });
  };
  let current = begin();
  const again = (): void => {
    current = begin();
  };
  store.afterReopening.add(again);
  return {
    [Symbol.dispose]() {
      isOver = true;
      store.afterReopening.delete(again);
      current[Symbol.dispose]();
    },
  };
}
