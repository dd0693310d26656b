/**
 * Attached: the reading part of a database, in another thread of its process.
 *
 * Each call reads the newest visible commit; a walk sees one view. Writes belong to the thread that opened the database.
 *
 * Specification: spec/transactions.md, "Reading threads".
 */

import type { Host } from '../host/host.ts';
import { attachEngine } from '../txn/threads/attach.ts';
import type { SharedHandle } from '../txn/threads/handle.ts';
import type { ThreadEngine } from '../txn/threads/thread-reader.ts';
import type { Reader, View } from '../txn/types.ts';
import { Place } from './place.ts';
import { type Held, PlacedReader } from './reading.ts';
import { Codec } from './store.ts';
import type { AttachedDatabase, AttachedSnapshot } from './types.ts';
import type { Value } from './value/types.ts';

/** @throws {SteleError} `invalid` OPTION_INVALID, NOT_FOUND; `corrupt` WRONG_DATABASE; `closed` DATABASE_CLOSED; `unavailable` COMMIT_UNKNOWN */
export function attachDatabase(handle: SharedHandle, host: Host, release: () => void): AttachedDatabase {
  return new Attached(attachEngine(handle, { host }), new Codec(host), release);
}

class Attached extends PlacedReader<Value> implements AttachedDatabase {
  readonly #engine: ThreadEngine;
  readonly #release: () => void;
  readonly readOnly = true;

  constructor(engine: ThreadEngine, codec: Codec, release: () => void) {
    super(new Place(), codec);
    this.#engine = engine;
    this.#release = release;
  }

  protected override reader(): Reader {
    return this.#engine;
  }

  protected override hold(): Held {
    const view = this.#engine.snapshot();
    return { reader: view, close: () => view.close() };
  }

  get version(): number {
    return this.#engine.version;
  }

  snapshot(): AttachedSnapshot {
    return new Fixed(this.#engine.snapshot(), this.codec);
  }

  close(): void {
    this.#engine.close();
    this.#release();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class Fixed extends PlacedReader<Value> implements AttachedSnapshot {
  readonly #view: View;

  constructor(view: View, codec: Codec) {
    super(new Place(), codec);
    this.#view = view;
  }

  protected override reader(): Reader {
    return this.#view;
  }

  protected override hold(): Held {
    return { reader: this.#view, close: () => {} };
  }

  get version(): number {
    return this.#view.version;
  }

  close(): void {
    this.#view.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
