/**
 * Store: what all handles of one open database share: the engine, the codecs, the policies in force.
 *
 * The engine is replaced when the database is repaired; everything asks the store for it at each call.
 */

import { SteleError } from '../base/errors.ts';
import { Slab } from '../base/slab.ts';
import type { Host } from '../host/host.ts';
import type { Decode, Engine, EngineOptions, Reader } from '../txn/types.ts';
import { describe } from './path/layout.ts';
import type { PolicyBook } from './policy/book.ts';
import { valueDecoder } from './value/decode.ts';
import { ValueEncoder } from './value/encode.ts';
import { contentStart } from './value/payload.ts';
import type { Value } from './value/types.ts';

/** Values to bytes and back, with the host's text functions. */
export class Codec {
  readonly texts: Host['texts'];
  readonly encoder: ValueEncoder;
  readonly decode: Decode<Value>;
  /** A copy of a stored text's UTF-8, or of stored bytes. @throws {SteleError} `invalid` VALUE_INVALID for any other value */
  readonly content: Decode<Uint8Array>;

  constructor({ texts }: Pick<Host, 'texts'>) {
    this.texts = texts;
    this.encoder = new ValueEncoder(texts);
    this.decode = valueDecoder(texts);
    const slab = new Slab();
    this.content = (bytes, start, end) => slab.copy(bytes, contentStart(bytes, start, end), end);
  }

  /** A fresh array. @throws {SteleError} `invalid` VALUE_INVALID */
  encode(value: Value | object): Uint8Array {
    const bytes = this.encoder.encode(value as Value);
    return this.encoder.bytes.slice(0, bytes);
  }
}

export class Store {
  engine: Engine;
  book: PolicyBook;
  readonly host: Host;
  readonly codec: Codec;
  readonly readOnly: boolean;
  readonly logger: NonNullable<EngineOptions['logger']>;
  /** Called when the engine was replaced: what listened to the old one listens to the new one. */
  readonly afterReopening = new Set<() => void>();

  constructor(parts: {
    engine: Engine;
    book: PolicyBook;
    host: Host;
    codec: Codec;
    readOnly: boolean;
    logger: NonNullable<EngineOptions['logger']>;
  }) {
    this.engine = parts.engine;
    this.book = parts.book;
    this.host = parts.host;
    this.codec = parts.codec;
    this.readOnly = parts.readOnly;
    this.logger = parts.logger;
  }
}

/** A reader for one walk, and its end. */
export function heldView(engine: Engine): { reader: Reader; close(): void } {
  const view = engine.snapshot();
  return { reader: view, close: () => view.close() };
}

/** @throws {SteleError} `invalid` OPTION_INVALID for a member that is not in `known`; FEATURE_MISSING for one that is not built yet */
export function checkMembers(what: string, given: object | undefined, known: ReadonlySet<string>): void {
  if (given === undefined) return;
  if (given === null || typeof given !== 'object')
    throw new SteleError('invalid', 'OPTION_INVALID', `${what}: found ${describe(given)}, expected an object`);
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    if (LATER.has(name))
      throw new SteleError('invalid', 'FEATURE_MISSING', `${what}.${name}: this feature is not built yet`, { detail: { option: name } });
    throw new SteleError('invalid', 'OPTION_INVALID', `${what}: unknown option ${name}, expected one of ${[...known].join(', ')}`, {
      detail: { option: name },
    });
  }
}

/** Options of the contract whose feature has not landed: refused by name, never ignored. */
export const LATER: ReadonlySet<string> = new Set(['worm', 'retention', 'audit', 'encryption', 'sealed', 'holds']);
