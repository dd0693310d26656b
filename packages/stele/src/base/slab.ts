/**
 * Slab: cheap copies of short byte strings.
 *
 * A fresh Uint8Array of more than 64 bytes costs several times what copying into it costs. Copies of 65 to 1,024 bytes are
 * therefore cut from slabs of 4 KiB; shorter and longer ones get a buffer of their own. Nobody else ever writes to a copy:
 * it belongs to the caller.
 *
 * Limits
 * - A kept copy keeps its slab: at most 4 KiB for one value.
 */

const SLAB_BYTES = 4096;
const OWN_BELOW = 65;
const OWN_ABOVE = 1024;

export class Slab {
  #slab = new ArrayBuffer(SLAB_BYTES);
  #bytes = new Uint8Array(this.#slab);
  #at = 0;

  /** A copy of `source[start, end)`. */
  copy(source: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    if (length < OWN_BELOW || length > OWN_ABOVE) {
      const own = new Uint8Array(length);
      if (length < OWN_BELOW) for (let at = 0; at < length; at++) own[at] = source[start + at]!;
      else own.set(source.subarray(start, end));
      return own;
    }
    if (this.#at + length > SLAB_BYTES) {
      this.#slab = new ArrayBuffer(SLAB_BYTES);
      this.#bytes = new Uint8Array(this.#slab);
      this.#at = 0;
    }
    const bytes = this.#bytes;
    const from = this.#at;
    if (length <= 160) for (let at = 0; at < length; at++) bytes[from + at] = source[start + at]!;
    else bytes.set(source.subarray(start, end), from);
    this.#at = from + length;
    return new Uint8Array(this.#slab, from, length);
  }
}
