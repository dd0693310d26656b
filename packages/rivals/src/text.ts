/** Text and bytes the way Stele's callers turn one into the other: ASCII, by the cheapest means. */

type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;
const latin1Slice = (Buffer.prototype as unknown as { latin1Slice: Latin1Slice }).latin1Slice;

/** A string from bytes in place; works on any Uint8Array, shared memory included. */
export const decodeText = (bytes: Uint8Array, start: number, end: number): string => latin1Slice.call(bytes, start, end);

/** Writes `text` behind `lead` bytes; returns the end. */
export function writeText(text: string, target: Uint8Array, lead: number): number {
  const length = text.length;
  for (let i = 0; i < length; i++) target[lead + i] = text.charCodeAt(i);
  return lead + length;
}

/** A key of the application's keyspace, as bytes of its own. */
export function keyBytesOf(text: string): Uint8Array {
  const key = new Uint8Array(1 + text.length);
  key[0] = 2;
  writeText(text, key, 1);
  return key;
}
