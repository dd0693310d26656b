/**
 * The end of a simulated machine or process.
 *
 * Not a SteleError: code that handles failures of a disk must not be able to handle this.
 */

/** Thrown by every call after the cut; promises in flight reject with it. */
export class PowerCut extends Error {
  /** `power`: the machine stopped. `killed`: the process did, and what it had written remains. */
  readonly reason: 'power' | 'killed';

  constructor(reason: 'power' | 'killed', operation: number) {
    super(reason === 'power' ? `power was cut at operation ${operation}` : `process was killed at operation ${operation}`);
    this.name = 'PowerCut';
    this.reason = reason;
  }
}
