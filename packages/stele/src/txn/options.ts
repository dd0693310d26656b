/**
 * Options of the engine: defaults, limits, and the refusal of anything else.
 *
 * Every option is checked before a file is touched; an unknown one is refused, never ignored.
 * Specification: spec/transactions.md, "Options and limits".
 */

import { SteleError } from '../base/errors.ts';
import type { Durability, EngineOptions } from './types.ts';

export const KEY_BYTES_MAX = 1100;
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;
export const BATCH_OPERATIONS_MAX = 100_000;
/** Each looks through what the batch did before it. */
export const BATCH_RANGES_MAX = 100;
export const BATCH_BYTES_MAX = 64 * 1024 * 1024;
export const META_BYTES_MAX = 1024 * 1024;
export const PAGE_SIZES: readonly number[] = [8192, 16384, 32768];
export const PAGE_SIZE_DEFAULT = 8192;
export const SEGMENT_BYTES_DEFAULT = 64 * 1024 * 1024;
export const CACHE_BYTES_DEFAULT = 256 * 1024 * 1024;
const TIME_MAX = 2 ** 47;

export interface Settings {
  readonly durability: Durability;
  readonly debounceMs: number;
  readonly cacheMemory: number;
  /** undefined: take what is recorded, or the default for a new database. */
  readonly pageSize: number | undefined;
  readonly segmentBytes: number;
  readonly historyRetention: number | undefined;
  readonly logRetention: number | undefined;
  readonly readOnly: boolean;
  readonly accelerator: boolean;
  readonly viewIdleMs: number;
  readonly logger: NonNullable<EngineOptions['logger']>;
}

/** Of puts, deletes and commits. */
const WRITE_OPTIONS = new Set<string>(['durability', 'assertedTimeMs', 'meta', 'expiresAt', 'ttlMs', 'ifVersion', 'unbounded']);

const KNOWN = new Set<string>([
  'host',
  'durability',
  'debounceMs',
  'cacheMemory',
  'pageSize',
  'segmentBytes',
  'historyRetention',
  'logRetention',
  'readOnly',
  'accelerator',
  'viewIdleMs',
  'logger',
]);

/** @throws {SteleError} `invalid` OPTION_INVALID naming the option, what was found and what is expected */
export function checkOptions(options: EngineOptions): Settings {
  if (options === null || typeof options !== 'object' || typeof options.host?.storage?.lock !== 'function')
    throw new SteleError(
      'invalid',
      'OPTION_INVALID',
      `options are ${described(options)}, expected an object with a host, such as { host: posixHost('./data') }`,
    );
  for (const name of Object.keys(options))
    if (!KNOWN.has(name)) throw refused(name, 'an unknown option', `one of ${[...KNOWN].join(', ')}`);
  const durability = options.durability ?? 'immediate';
  if (durability !== 'immediate' && durability !== 'debounced' && durability !== 'async')
    throw refused('durability', durability, "'immediate', 'debounced' or 'async'");
  const pageSize = options.pageSize;
  if (pageSize !== undefined && !PAGE_SIZES.includes(pageSize)) throw refused('pageSize', pageSize, PAGE_SIZES.join(', '));
  const historyRetention = options.historyRetention;
  if (historyRetention !== undefined) within('historyRetention', historyRetention, 0, Number.POSITIVE_INFINITY);
  const logRetention = options.logRetention;
  if (logRetention !== undefined) within('logRetention', logRetention, 0, Number.POSITIVE_INFINITY);
  return {
    durability,
    debounceMs: whole('debounceMs', options.debounceMs ?? 250, 1, 60_000),
    cacheMemory: whole('cacheMemory', options.cacheMemory ?? CACHE_BYTES_DEFAULT, 1024 * 1024, 2 ** 34),
    pageSize,
    segmentBytes: whole('segmentBytes', options.segmentBytes ?? SEGMENT_BYTES_DEFAULT, 64 * 1024, 2 ** 30),
    historyRetention,
    logRetention,
    readOnly: flag('readOnly', options.readOnly, false),
    accelerator: flag('accelerator', options.accelerator, true),
    viewIdleMs: within('viewIdleMs', options.viewIdleMs ?? 600_000, 1, Number.POSITIVE_INFINITY),
    logger: listener('logger', options.logger),
  };
}

/** A value as a message shows it: text in quotes. */
export function described(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return String(value);
  return `${typeof value === 'function' ? 'a function' : `an object (${Object.keys(value).slice(0, 5).join(', ')})`}`;
}

function refused(name: string, found: unknown, expected: string): SteleError {
  return new SteleError('invalid', 'OPTION_INVALID', `option ${name}: found ${described(found)}, expected ${expected}`, {
    detail: { option: name },
  });
}

function within(name: string, value: number, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) throw refused(name, value, `a number from ${min} to ${max}`);
  return value;
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(within(name, value, min, max))) throw refused(name, value, 'a whole number');
  return value;
}

function flag(name: string, value: boolean | undefined, otherwise: boolean): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw refused(name, value, 'true or false');
  return value ?? otherwise;
}

function listener(name: string, given: EngineOptions['logger']): NonNullable<EngineOptions['logger']> {
  if (given !== undefined && typeof given !== 'function') throw refused(name, given, 'a function');
  if (given === undefined) return () => {};
  return (event) => {
    try {
      given(event);
    } catch {
      // A logger has no say in what the engine does next.
    }
  };
}

/** First byte of every key: spec/file-format.md, "Keyspaces". */
export const KEYSPACE_MIN = 1;
export const KEYSPACE_MAX = 3;

/** @throws {SteleError} `invalid` KEY_INVALID */
export function checkKey(key: Uint8Array, keyBytes = key?.length): void {
  if (!(key instanceof Uint8Array)) throw new SteleError('invalid', 'KEY_INVALID', `key is ${typeof key}, expected bytes`);
  if (!(keyBytes >= 1 && keyBytes <= KEY_BYTES_MAX && keyBytes <= key.length))
    throw new SteleError('invalid', 'KEY_INVALID', `key of ${keyBytes} bytes, expected 1 to ${KEY_BYTES_MAX}`);
  const keyspace = key[0]!;
  if (keyspace < KEYSPACE_MIN || keyspace > KEYSPACE_MAX) {
    throw new SteleError(
      'invalid',
      'KEY_INVALID',
      `keyspace ${keyspace}, expected 1 (system), 2 (user) or 3 (layer): put the byte 2 before an application's key`,
    );
  }
}

/** @throws {SteleError} `invalid` VALUE_INVALID */
export function checkValue(value: Uint8Array, valueBytes = value?.length): void {
  if (!(value instanceof Uint8Array)) throw new SteleError('invalid', 'VALUE_INVALID', `value is ${typeof value}, expected bytes`);
  if (!(valueBytes >= 0 && valueBytes <= VALUE_BYTES_MAX && valueBytes <= value.length))
    throw new SteleError('invalid', 'VALUE_INVALID', `value of ${valueBytes} bytes, expected at most ${VALUE_BYTES_MAX}`);
}

/** Absolute expiry of a write, 0 for never. @throws {SteleError} `invalid` EXPIRY_INVALID */
export function expiryOf(options: { expiresAt?: number; ttlMs?: number } | undefined, timeMs: number): number {
  if (options === undefined || (options.expiresAt === undefined && options.ttlMs === undefined)) return 0;
  if (options.expiresAt !== undefined && options.ttlMs !== undefined)
    throw new SteleError('invalid', 'EXPIRY_INVALID', 'both expiresAt and ttlMs given, expected one');
  const name = options.expiresAt === undefined ? 'ttlMs' : 'expiresAt';
  const given = options.expiresAt ?? options.ttlMs!;
  const expiresAt = Math.ceil(options.expiresAt ?? timeMs + options.ttlMs!);
  if (!(given > 0) || !(expiresAt <= TIME_MAX))
    throw new SteleError('invalid', 'EXPIRY_INVALID', `${name} is ${given}, expected a positive number of milliseconds below 2^47`);
  return expiresAt;
}

/** @throws {SteleError} `invalid` VERSION_INVALID */
export function checkVersion(name: string, version: number): void {
  if (!Number.isSafeInteger(version) || version < 0)
    throw new SteleError('invalid', 'VERSION_INVALID', `${name} is ${version}, expected a commit number from 0`);
}

/** @throws {SteleError} `invalid` COMMIT_OPTIONS */
export function checkCommitOptions(
  options: { durability?: Durability; assertedTimeMs?: number; meta?: readonly Uint8Array[]; unbounded?: boolean } | undefined,
): void {
  if (options === undefined) return;
  const bad = (message: string): never => {
    throw new SteleError('invalid', 'COMMIT_OPTIONS', message);
  };
  if (typeof options !== 'object') bad(`options are ${described(options)}, expected an object`);
  for (const name in options) if (!WRITE_OPTIONS.has(name)) bad(`unknown option ${name}, expected one of ${[...WRITE_OPTIONS].join(', ')}`);
  const { durability, assertedTimeMs, meta, unbounded } = options;
  if (unbounded !== undefined && typeof unbounded !== 'boolean') bad(`unbounded is ${described(unbounded)}, expected true or false`);
  if (durability !== undefined && durability !== 'immediate' && durability !== 'debounced' && durability !== 'async')
    bad(`durability is ${String(durability)}`);
  if (assertedTimeMs !== undefined && !(Number.isInteger(assertedTimeMs) && assertedTimeMs > 0 && assertedTimeMs <= TIME_MAX)) {
    bad(`assertedTimeMs is ${assertedTimeMs}, expected a whole number of ms from 1 to 2^47`);
  }
  if (meta !== undefined) {
    if (!Array.isArray(meta) || meta.length > 255) bad('meta: expected at most 255 byte strings');
    let bytes = 0;
    for (const chunk of meta) {
      if (!(chunk instanceof Uint8Array)) bad('meta: expected byte strings');
      bytes += chunk.length;
    }
    if (bytes > META_BYTES_MAX) bad(`meta of ${bytes} bytes, expected at most ${META_BYTES_MAX}`);
  }
}
