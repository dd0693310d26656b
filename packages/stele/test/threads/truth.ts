/**
 * What every key held at every version, and whether what a thread says it saw was ever so.
 *
 * The owner notes each effect as it commits it; the threads' observations come later and name versions.
 */

import { ABSENT, COUNT, GET, SCAN } from './protocol.ts';

export class Truth {
  readonly #commits: number[][];
  readonly #stamps: number[][];
  checked = 0;

  constructor(keys: number) {
    this.#commits = Array.from({ length: keys }, () => [0]);
    this.#stamps = Array.from({ length: keys }, () => [ABSENT]);
  }

  get keys(): number {
    return this.#commits.length;
  }

  /** Commit `version` gave the key this stamp; ABSENT for a delete or a value born expired. */
  note(n: number, version: number, stamp: number): void {
    this.#commits[n]!.push(version);
    this.#stamps[n]!.push(stamp);
  }

  /** The stamp at a version. */
  at(n: number, version: number): number {
    return this.#stamps[n]![this.#indexAt(n, version)]!;
  }

  newest(n: number): number {
    return this.#stamps[n]!.at(-1)!;
  }

  #indexAt(n: number, version: number): number {
    const commits = this.#commits[n]!;
    let low = 0;
    let high = commits.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (commits[middle]! <= version) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Throws at the first observation that was never so. */
  check(numbers: Int32Array): void {
    for (let at = 0; at < numbers.length; ) {
      this.checked++;
      const kind = numbers[at]!;
      if (kind === GET) at = this.#checkGet(numbers, at);
      else if (kind === SCAN) at = this.#checkScan(numbers, at);
      else if (kind === COUNT) at = this.#checkCount(numbers, at);
      else throw new Error(`observation of kind ${kind}`);
    }
  }

  #checkGet(numbers: Int32Array, at: number): number {
    const [n, before, after, stamp, version] = numbers.subarray(at + 1, at + 6) as unknown as [number, number, number, number, number];
    if (before > after) throw new Error(`the newest version went from ${before} back to ${after}`);
    const last = this.#indexAt(n, after);
    let index = this.#indexAt(n, before);
    const first = index;
    while (index <= last && (this.#stamps[n]![index] !== stamp || (version >= 0 && this.#commits[n]![index] !== version))) index++;
    if (index > last) {
      const held = this.#stamps[n]!.slice(first, last + 1).map((held, k) => `${held} since ${this.#commits[n]![first + k]}`);
      throw new Error(
        `key ${n}: read ${stamp} (version ${version}) between versions ${before} and ${after}, when it held ${held.join(', ')}`,
      );
    }
    return at + 6;
  }

  #checkScan(numbers: Int32Array, at: number): number {
    const [version, from, to, pairs] = numbers.subarray(at + 1, at + 5) as unknown as [number, number, number, number];
    let pair = at + 5;
    const end = pair + 2 * pairs;
    for (let n = from; n < to; n++) {
      const stamp = this.at(n, version);
      if (stamp === ABSENT) continue;
      if (pair >= end || numbers[pair] !== n || numbers[pair + 1] !== stamp) {
        const got = pair < end ? `key ${numbers[pair]} with ${numbers[pair + 1]}` : 'nothing more';
        throw new Error(`scan of ${from} to ${to} at version ${version}: expected key ${n} with ${stamp}, got ${got}`);
      }
      pair += 2;
    }
    if (pair !== end) throw new Error(`scan of ${from} to ${to} at version ${version}: key ${numbers[pair]} was not there`);
    return end;
  }

  #checkCount(numbers: Int32Array, at: number): number {
    const [before, after, from, to, count] = numbers.subarray(at + 1, at + 6) as unknown as [number, number, number, number, number];
    if (after - before > 2000) return at + 6;
    const versions = new Set<number>([before]);
    for (let n = from; n < to; n++) for (const commit of this.#commits[n]!) if (commit > before && commit <= after) versions.add(commit);
    const counts: number[] = [];
    for (const version of versions) {
      let live = 0;
      for (let n = from; n < to; n++) if (this.at(n, version) !== ABSENT) live++;
      if (live === count) return at + 6;
      counts.push(live);
    }
    throw new Error(`count of ${from} to ${to} between versions ${before} and ${after}: ${count}, it was ${counts.join(', ')}`);
  }
}
