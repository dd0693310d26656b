/**
 * What happened to a storage: a running hash, counters, and on request a list.
 *
 * Two runs of the same program with the same seed give the same hash; the first difference shows in the lists.
 * Contents of writes go into the hash by their CRC.
 */

/** Kinds that change something are numbered and can be cut; `open`, `read`, `syncCall` and `note` are traced only. */
export type OperationKind =
  | 'create'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'writeThrough'
  | 'remove'
  | 'syncDirectory'
  | 'lock'
  | 'open'
  | 'read'
  | 'syncCall'
  | 'note';

/** One traced operation. `number` counts the changing ones from 1; others carry the number of the last. */
export interface Operation {
  readonly number: number;
  readonly kind: OperationKind;
  readonly name: string;
  readonly position: number;
  readonly length: number;
}

const KINDS: readonly OperationKind[] = [
  'create',
  'write',
  'truncate',
  'sync',
  'writeThrough',
  'remove',
  'syncDirectory',
  'lock',
  'open',
  'read',
  'syncCall',
  'note',
];

/** See the file comment. */
export class Trace {
  readonly counts: Record<OperationKind, number> = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<OperationKind, number>;
  readonly list: Operation[] | undefined;
  #low = 0x811c9dc5;
  #high = 0x9747b28c;

  constructor(isListed: boolean) {
    this.list = isListed ? [] : undefined;
  }

  add(number: number, kind: OperationKind, name: string, position: number, length: number, checksum: number): void {
    this.counts[kind]++;
    this.#mix(KINDS.indexOf(kind));
    for (let i = 0; i < name.length; i++) this.#mix(name.charCodeAt(i));
    this.#mix(position);
    this.#mix(Math.floor(position / 2 ** 32));
    this.#mix(length);
    this.#mix(checksum);
    this.list?.push({ number, kind, name, position, length });
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }

  #mix(value: number): void {
    const low = Math.imul(this.#low ^ value, 0x01000193);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high + value + (low >>> 7), 0x85ebca6b);
    this.#high = high ^ (high >>> 13);
  }
}
