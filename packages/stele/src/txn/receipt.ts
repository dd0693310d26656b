/**
 * Receipt of a commit: plain fields, and the recorded time as a Date for those who ask for one.
 *
 * A class so that the Date costs nothing until it is read.
 */

import { dateOf, type Instance } from '../base/date.ts';
import type { Commit } from './types.ts';

export class Receipt implements Commit {
  version: number;
  timeMs: number;
  durability: 'kernel' | 'device';
  checksum: number;
  changed: number;

  constructor(version: number, timeMs: number, durability: 'kernel' | 'device', checksum: number, changed: number) {
    this.version = version;
    this.timeMs = timeMs;
    this.durability = durability;
    this.checksum = checksum;
    this.changed = changed;
  }

  get time(): Instance {
    return dateOf(this.timeMs);
  }

  /** As text: what the contract names. */
  toJSON(): object {
    const { version, time, durability, checksum, changed } = this;
    return { version, time, durability, checksum, changed };
  }
}
