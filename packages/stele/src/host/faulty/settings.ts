/**
 * The knobs of a faulty storage.
 *
 * Specification: spec/host.md, "Faulty host".
 */

import type { Hashing } from '../host.ts';
import type { SyncStyle } from '../storage.ts';
import type { Operation } from './trace.ts';

/** All optional; the defaults are a disk that never fails. */
export interface FaultyOptions {
  /** Everything that is left to chance follows from it. Default 1. */
  readonly seed?: number;
  /** Default `barrier`. */
  readonly syncStyle?: SyncStyle;
  /** The power goes at this changing operation (from 1), which may be partly done. */
  readonly powerCutAt?: number;
  /** The process dies at this changing operation, which may be partly done. */
  readonly killAt?: number;
  /** Unit that is written whole or not at all in a power cut. Default 512. */
  readonly sectorBytes?: number;
  /** Space for contents, in whole 4 KiB blocks. Default Infinity. */
  readonly capacityBytes?: number;
  /** Probability that a write is short though there is space. Default 0. */
  readonly shortWrites?: number;
  /** Probability that the device silently loses, misdirects or duplicates a write as it takes it. Default 0. */
  readonly misplacedWrites?: number;
  /** What a failed sync does with the data, which counts as clean afterwards. Default `seeded`: each change its own lot. */
  readonly failedSync?: 'seeded' | 'lost' | 'kept';
  /** Called before each changing operation; may `fork()` the storage. */
  readonly onOperation?: (operation: Operation) => void;
  /** Keeps a list of all operations in `trace`. Default false. */
  readonly record?: boolean;
  /** Runs an asynchronous completion. Default: in a microtask. */
  readonly later?: (work: () => void) => void;
  /** Told when power or process end. */
  readonly onStop?: () => void;
  /** Checksums written contents for the trace. Default in script; the native one is faster on large writes. */
  readonly crc32?: Hashing['crc32'];
}

/** With all defaults in place. */
export type FaultySettings = Required<Omit<FaultyOptions, 'onOperation' | 'onStop'>> & Pick<FaultyOptions, 'onOperation' | 'onStop'>;

/** Of the options of a storage, those that its successor (reboot, restart, fork) keeps: not the ends and hooks. */
export function inherited(settings: FaultySettings, seed: number, options: FaultyOptions): FaultyOptions {
  const { powerCutAt: _power, killAt: _kill, onOperation: _operation, onStop: _stop, ...kept } = settings;
  return { ...kept, seed, ...options };
}
