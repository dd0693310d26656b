/** What Node's Buffer has and its published types leave out: strings straight from bytes, without option parsing. */
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
  }
}

export {};
