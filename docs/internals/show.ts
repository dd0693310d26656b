/** How the scripts of the chapters show bytes. */

/** One line to the standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Bytes [start, end) as lines of 16: offset, hexadecimal, text. */
export function hexdump(bytes: Uint8Array, start: number, end: number): string {
  const lines: string[] = [];
  for (let at = start; at < end; at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, end));
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    lines.push(`   ${String(at).padStart(6)}  ${hex.padEnd(47)}  ${text(row, 0, row.length)}`);
  }
  return lines.join('\n');
}

/** Printable ASCII, anything else a dot. */
export function text(bytes: Uint8Array, start: number, end: number): string {
  let out = '';
  for (let at = start; at < end; at++) out += bytes[at]! >= 32 && bytes[at]! < 127 ? String.fromCharCode(bytes[at]!) : '.';
  return out;
}
