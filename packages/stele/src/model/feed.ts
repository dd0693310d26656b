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
import type { Place } from './place.ts';
import type { Store } from './store.ts';
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

/** Durable commits behind `from`, and then those that come. Ends when the database closes; a signal ends it with CANCELLED. */
export async function* changesOf(store: Store, place: Place, options: ChangesOptions): AsyncGenerator<Change, undefined> {
  const { signal } = options;
  const { engine } = store;
  const prefix = place.prefixKey(options.prefix ?? []);
  let last = options.from ?? engine.version;
  const bell = new Bell();
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

/** Calls `listener` with each change below `prefix` from now on. */
export function watchOf(
  store: Store,
  place: Place,
  prefix: Uint8Array,
  listener: (change: Change) => void,
  log: (error: unknown) => void,
): Disposable {
  const { engine } = store;
  let last = engine.version;
  return engine.onCommitted((_first, through) => {
    if (through <= last) return;
    const from = last;
    last = through;
    for (const change of engine.changes(from, through))
      for (const one of told(store, place, prefix, change)) {
        try {
          listener(one);
        } catch (error) {
          log(error); // the commit stands, and the others are told
        }
      }
  });
}
