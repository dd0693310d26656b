/**
 * CRC-32 (IEEE 802.3, reflected, as zlib): the checksum of every page and record.
 *
 * In script by slicing-by-8 (measured 0.55 ns a byte, no call overhead); natively by the host above
 * {@link CRC32_NATIVE_BYTES_MIN} bytes, where the call (about 120 ns) has paid for itself. Both give the same numbers.
 * `seed` is the checksum of what came before: crc(ab) = crc(b, seed = crc(a)); 0 to begin. Results are unsigned; a seed may be signed.
 *
 * The tables are built when the module loads (a quarter of a millisecond at most): a lazily filled table would cost a
 * test in each call.
 */

/** Input of at least this length goes to the host's native function. */
export const CRC32_NATIVE_BYTES_MIN = 300;

/** `crc32(bytes, start, end, seed)` over `bytes[start, end)`. */
export type Crc32 = (bytes: Uint8Array, start: number, end: number, seed: number) => number;

const T = makeTables();

/** CRC-32 of `bytes[start, end)` continued from `seed`, in script. */
export function crc32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  return signedCrc32(bytes, start, end, seed | 0) >>> 0;
}

/**
 * The same, both numbers signed. Half of all unsigned ones do not fit V8's small integers, and passing one to or from a function that is
 * not inlined costs 16 bytes of heap; the wrapper above is inlined.
 */
function signedCrc32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let c = ~seed;
  let i = start;
  const eights = end - 7;
  for (; i < eights; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      T[1792 + (c & 255)]! ^
      T[1536 + ((c >>> 8) & 255)]! ^
      T[1280 + ((c >>> 16) & 255)]! ^
      T[1024 + (c >>> 24)]! ^
      T[768 + bytes[i + 4]!]! ^
      T[512 + bytes[i + 5]!]! ^
      T[256 + bytes[i + 6]!]! ^
      T[bytes[i + 7]!]!;
  }
  for (; i < end; i++) c = T[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c;
}

/** CRC-32 continued from `seed` over the four little-endian bytes of `value`. */
export function crc32U32(value: number, seed: number): number {
  const c = ~seed ^ value;
  return ~(T[768 + (c & 255)]! ^ T[512 + ((c >>> 8) & 255)]! ^ T[256 + ((c >>> 16) & 255)]! ^ T[c >>> 24]!) >>> 0;
}

/** CRC-32 continued from `seed` over the six little-endian bytes of `value`. */
export function crc32U48(value: number, seed: number): number {
  let c = ~crc32U32(value >>> 0, seed);
  const high = (value / 0x1_0000_0000) | 0;
  c = T[(c ^ high) & 255]! ^ (c >>> 8);
  c = T[(c ^ (high >>> 8)) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}

/** A checksum function that takes the script for short input and `native` for the rest. */
export function makeCrc32(native: Crc32 | undefined): Crc32 {
  if (native === undefined) return crc32;
  return (bytes, start, end, seed) =>
    end - start < CRC32_NATIVE_BYTES_MIN ? crc32(bytes, start, end, seed) : native(bytes, start, end, seed >>> 0);
}

/** Eight tables of 256: T[256 k + b] is the checksum step of byte b followed by k zero bytes. */
function makeTables(): Int32Array {
  const tables = new Int32Array(2048);
  for (let b = 0; b < 256; b++) {
    let c = b;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb8_8320 : c >>> 1;
    tables[b] = c;
  }
  for (let i = 256; i < 2048; i++) {
    const before = tables[i - 256]!;
    tables[i] = tables[before & 255]! ^ (before >>> 8);
  }
  return tables;
}
