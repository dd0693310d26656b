/**
 * The posix host: a directory, the system's clock and randomness, Node's timers, workers, hashing and texts.
 *
 * This is the one place where the process's ambient world is handed to the engine.
 *
 * Specification: spec/host.md, "Posix host".
 */

import { SteleError } from '../../base/errors.ts';
import type { Host } from '../host.ts';
import { inlineThreads } from '../inline-threads.ts';
import type { Storage } from '../storage.ts';
import { nodeClock, nodeRandom, nodeTimers } from './ambient.ts';
import { nodeHashing } from './hashing.ts';
import { hasPermission } from './platform.ts';
import { type PosixStorage, type PosixStorageOptions, posixStorage } from './storage.ts';
import { nodeTexts } from './texts.ts';
import { workerThreads } from './threads.ts';

/** Options of the storage, and of the threads. */
export interface PosixHostOptions extends PosixStorageOptions {
  /** `inline` runs jobs on the caller, in turns. Default `worker`, where allowed. */
  readonly threads?: 'worker' | 'inline';
  /** Most job threads at once. Default 2. */
  readonly threadsMax?: number;
}

export interface PosixHost extends Host {
  readonly storage: PosixStorage;
}

const OPTIONS = new Set(['syncStyle', 'syncThread', 'lock', 'threads', 'threadsMax']);

/** The host for a directory, which is made when first written to. Close `threads`, then `storage`. */
export function posixHost(directory: string, options: PosixHostOptions = {}): PosixHost {
  if (typeof directory !== 'string' || directory === '')
    throw new SteleError(
      'invalid',
      'OPTION_INVALID',
      `directory is ${directory === '' ? 'empty' : typeof directory}, expected the path of a directory`,
    );
  for (const name of Object.keys(options))
    if (!OPTIONS.has(name))
      throw new SteleError('invalid', 'OPTION_INVALID', `unknown option ${name}, expected one of ${[...OPTIONS].join(', ')}`);
  const storage = posixStorage(directory, options);
  const hashing = nodeHashing();
  const timers = nodeTimers();
  const isInline = options.threads === 'inline' || !hasPermission('worker') || typeof SharedArrayBuffer === 'undefined';
  const threads = isInline
    ? inlineThreads({ storage, hashing, timers })
    : workerThreads({
        transfer: () => storage.transfer(),
        ...(options.threadsMax === undefined ? {} : { threadsMax: options.threadsMax }),
      });
  return { storage, clock: nodeClock(), random: nodeRandom(), timers, hashing, texts: nodeTexts(), threads };
}

/** Node's clock, randomness, timers and hashing around a storage of another kind, such as one in memory. Jobs run inline. */
export function nodeHost(storage: Storage): Host {
  const hashing = nodeHashing();
  const timers = nodeTimers();
  return {
    storage,
    clock: nodeClock(),
    random: nodeRandom(),
    timers,
    hashing,
    texts: nodeTexts(),
    threads: inlineThreads({ storage, hashing, timers }),
  };
}
