/**
 * Keys and values that say themselves whether they are whole: both sides of the stress test make and check them.
 *
 *   value: u32 key number · u32 stamp · filling that follows from both, so any byte of another version shows
 */

const encoder = new TextEncoder();

export function keyOf(n: number): Uint8Array {
  return encoder.encode(`\x02k/${String(n).padStart(7, '0')}`);
}

export function numberOf(key: Uint8Array): number {
  let n = 0;
  for (let at = 3; at < key.length; at++) n = n * 10 + key[at]! - 48;
  return n;
}

export function valueFor(n: number, stamp: number, bytes: number): Uint8Array {
  const value = new Uint8Array(bytes);
  const view = new DataView(value.buffer);
  view.setUint32(0, n);
  view.setUint32(4, stamp);
  for (let at = 8; at < bytes; at++) value[at] = filling(n, stamp, at);
  return value;
}

/** The stamp of a value of key `n`; throws when any byte is not its own. */
export function stampOf(n: number, bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 8) throw new Error(`key ${n}: a value of ${end - start} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  const stamp = view.getUint32(4);
  if (view.getUint32(0) !== n) throw new Error(`key ${n}: the value of key ${view.getUint32(0)}`);
  for (let at = 8; at < end - start; at++) {
    if (bytes[start + at] !== filling(n, stamp, at)) throw new Error(`key ${n}, stamp ${stamp}: torn at byte ${at} of ${end - start}`);
  }
  return stamp;
}

function filling(n: number, stamp: number, at: number): number {
  return (n * 31 + stamp * 17 + at * 7) & 0xff;
}
