/** What Node's Buffer has and its published types leave out: strings straight from bytes, without option parsing. */
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
}
