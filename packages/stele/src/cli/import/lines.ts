/**
 * Lines of a file, streamed, each with where it lies in it.
 *
 * Invariants
 * - A line is given whole; only one is held beside the piece of the file that was read.
 * - `isEnded` is false for a last line without a newline: somebody may be writing it.
 *
 * Limits: a line is at most 32 MiB, its newline not counted.
 */

import { createReadStream } from 'node:fs';
import { SteleError } from '../../base/errors.ts';

export interface Line {
  /** Without its newline, and without the carriage return before it. */
  readonly bytes: Uint8Array;
  /** Bytes from the beginning of the file. */
  readonly start: number;
  /** Behind its newline. */
  readonly end: number;
  readonly isEnded: boolean;
}

export const LINE_BYTES_MAX: number = 32 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/** Lines from byte `start` on. @throws {SteleError} `invalid` SOURCE_INVALID for a line too long; `unavailable` IO_ERROR */
export async function* readLines(file: string, start = 0): AsyncGenerator<Line, void> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  let end = start;
  const stream = createReadStream(file, { start, highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      let from = 0;
      for (let found = chunk.indexOf(LF); found >= 0; found = chunk.indexOf(LF, from)) {
        const piece = chunk.subarray(from, found);
        const bytes = rest.length === 0 ? piece : Buffer.concat([...rest, piece]);
        const lineStart = end;
        end += bytes.length + 1;
        yield { bytes: bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes, start: lineStart, end, isEnded: true };
        rest = [];
        restBytes = 0;
        from = found + 1;
      }
      if (from === chunk.length) continue;
      rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
      if (restBytes > LINE_BYTES_MAX)
        throw new SteleError('invalid', 'SOURCE_INVALID', `${file}, byte ${end}: a line of more than ${LINE_BYTES_MAX} bytes`, {
          detail: { file, byte: end },
        });
    }
  } catch (error) {
    if (error instanceof SteleError) throw error;
    throw new SteleError('unavailable', 'IO_ERROR', `${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    stream.destroy();
  }
  if (restBytes > 0) yield { bytes: Buffer.concat(rest), start: end, end: end + restBytes, isEnded: false };
}

/** A line as an object. @throws {SteleError} `invalid` SOURCE_INVALID, with the line's number */
export function parseLine(file: string, number: number, { bytes }: Line): Readonly<Record<string, unknown>> {
  const refuse = (why: string, cause?: unknown): SteleError =>
    new SteleError('invalid', 'SOURCE_INVALID', `${file}, line ${number}: ${why}, expected a JSON object`, {
      detail: { file, line: number },
      cause,
    });
  let found: unknown;
  try {
    found = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw refuse(error instanceof TypeError ? 'it is no UTF-8' : `it is no JSON (${(error as Error).message})`, error);
  }
  if (found === null || typeof found !== 'object' || Array.isArray(found))
    throw refuse(`found ${found === null ? 'null' : Array.isArray(found) ? 'an array' : `a ${typeof found}`}`);
  return found as Record<string, unknown>;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
