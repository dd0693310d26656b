/**
 * Contents of files by their hash, many at a time: one `git cat-file --batch` that is asked ahead and read in the order it was asked.
 *
 *   answer = hash SP `blob` SP bytes LF content LF          or: hash SP `missing` LF
 *
 * Invariants
 * - What was not read yet waits in git and in the pipe; here is one piece of it, and the content that was asked for last.
 * - Contents above `bytesMax` are passed over without being held.
 *
 * Specification: git-cat-file(1), "Batch output".
 */

import { SteleError } from '../../base/errors.ts';
import { streamGit } from './git-program.ts';

/** A content, or how long one is that was passed over. */
export type Blob = { readonly bytes: Uint8Array } | { readonly tooLong: number };

export interface BlobReader extends AsyncDisposable {
  /** Asks; the answers come in the same order. */
  ask(hash: string): void;
  /** The next answer. @throws {SteleError} `invalid` SOURCE_INVALID when git does not have it */
  read(): Promise<Blob>;
}

const EMPTY = new Uint8Array(0);
const LF = 0x0a;
/** Longer than any header. */
const HEADER_BYTES_MAX = 256;

export function readBlobs(directory: string, bytesMax: number): BlobReader {
  const git = streamGit(directory, ['cat-file', '--batch']);
  const chunks = (git.stdout as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let held: Uint8Array = EMPTY;

  async function more(): Promise<void> {
    const step = await chunks.next();
    if (step.done === true) {
      await git.ended();
      throw new SteleError('invalid', 'SOURCE_INVALID', 'git cat-file ended before it had given every content');
    }
    if (held.length === 0) held = step.value;
    else {
      const whole = new Uint8Array(held.length + step.value.length);
      whole.set(held);
      whole.set(step.value, held.length);
      held = whole;
    }
  }

  async function line(): Promise<string> {
    for (;;) {
      const end = held.indexOf(LF);
      if (end >= 0) {
        const text = decoder.decode(held.subarray(0, end));
        held = held.subarray(end + 1);
        return text;
      }
      if (held.length > HEADER_BYTES_MAX) throw new SteleError('invalid', 'SOURCE_INVALID', 'git cat-file gave what is not understood');
      await more();
    }
  }

  /** Takes `length` bytes; into `target` when there is one. */
  async function take(length: number, target: Uint8Array | undefined): Promise<void> {
    for (let at = 0; at < length; ) {
      if (held.length === 0) await more();
      const piece = held.subarray(0, length - at);
      target?.set(piece, at);
      at += piece.length;
      held = held.subarray(piece.length);
    }
  }

  return {
    ask(hash) {
      git.stdin.write(`${hash}\n`);
    },
    async read() {
      const header = await line();
      const [hash, type, size] = header.split(' ');
      if (type === 'missing')
        throw new SteleError(
          'invalid',
          'SOURCE_INVALID',
          `git does not have the content ${hash}: a partial clone? \`git fetch --refetch --no-filter\` gets the rest`,
          { detail: { hash } },
        );
      const length = Number(size);
      if (type !== 'blob' || !Number.isSafeInteger(length))
        throw new SteleError('invalid', 'SOURCE_INVALID', `git cat-file answered ${header}, expected a blob`);
      const bytes = length > bytesMax ? undefined : new Uint8Array(length);
      await take(length, bytes);
      await take(1, undefined);
      return bytes === undefined ? { tooLong: length } : { bytes };
    },
    async [Symbol.asyncDispose]() {
      git.stdin.end();
      await git[Symbol.asyncDispose]();
    },
  };
}
