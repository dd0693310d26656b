/**
 * Commits of a source become commits of the database, one each.
 *
 *   files/<path…>   what a file holds: text, or bytes when it is no UTF-8 or has a NUL; { link } of a symbolic link, { submodule } its commit
 *   commits/<n>     the n-th commit, from 1: hash, author, email, date, subject, parents, counts; see {@link CommitInfo}
 *
 * Actor = author, reason = subject, asserted time = author date. The last of `commits` is where an import stopped: it is written in the
 * same commit as the files, so that whoever was killed goes on behind it.
 *
 * Invariants
 * - After commit n, `files` is what the source had after its n-th commit, less what was left out; that is named in `leftOut`.
 * - A commit too large for one is made in parts. All but the last say so at `import/unfinished/commit`, the last takes that away and has `commits/<n>`:
 *   killed between two, it goes on there; and nothing else is imported over half a commit.
 *
 * Limits: contents up to 63 MiB, paths up to those of the database (spec/paths.md). Dates before 1970 are asserted as its first millisecond.
 * An actor of more than 256 bytes and a subject of more than 4,096 are cut; `commits/<n>` has them whole.
 */

import { SteleError } from '../../base/errors.ts';
import type { BatchOperation, Bucket, Segment, Value } from '../../model/types.ts';
import { Pipeline } from './pipeline.ts';

export interface SourceCommit {
  readonly hash: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly email: string;
  readonly dateMs: number;
  readonly subject: string;
  readonly merged: readonly MergedCommit[];
  readonly changes: Iterable<SourceChange> | AsyncIterable<SourceChange>;
}

export interface MergedCommit {
  readonly hash: string;
  readonly author: string;
  readonly subject: string;
}

export interface SourceChange {
  readonly kind: 'added' | 'changed' | 'deleted';
  /** Below `files`. */
  readonly path: readonly Segment[];
  /** undefined: the file is gone, or is left out. */
  readonly value: Value | undefined;
  readonly bytes: number;
  /** Why the content is not here although the file is. */
  readonly leftOut?: string;
}

/** The value at `commits/<n>`. */
export interface CommitInfo {
  readonly hash: string;
  readonly author: string;
  readonly email: string;
  readonly date: Date;
  readonly subject: string;
  readonly parents: readonly string[];
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  /** Of a merge: the commits it brought in, at most {@link MERGED_MAX}, and how many there are. */
  readonly merged?: readonly MergedCommit[];
  readonly mergedCount?: number;
  /** Files whose content is not here, and why. */
  readonly leftOut?: readonly { readonly path: readonly Segment[]; readonly why: string }[];
}

export interface CommitTally {
  commits: number;
  puts: number;
  deletes: number;
  /** Of contents. */
  bytes: number;
  leftOut: number;
}

export const MERGED_MAX = 100;
const PART_OPERATIONS_MAX = 10_000;
const PART_BYTES_MAX = 32 * 1024 * 1024;
const ACTOR_BYTES_MAX = 256;
const REASON_BYTES_MAX = 4096;
const TIME_MS_MAX = 2 ** 47;
/** Up to here every path fits, below a prefix of some length too. */
const PLAIN_SEGMENTS_MAX = 32;
const PLAIN_UNITS_MAX = 200;

/** The last commit that is here: its number and hash. */
export function lastImported(into: Bucket): { readonly n: number; readonly hash: string } | undefined {
  const row = into.last<CommitInfo>('commits');
  if (row === undefined) return undefined;
  const [, n] = row.path;
  const hash = row.value?.hash;
  if (typeof n === 'number' && row.path.length === 2 && typeof hash === 'string') return { n, hash };
  throw new SteleError(
    'invalid',
    'SOURCE_CHANGED',
    'commits holds something else than imported commits: import below another prefix, or into another directory',
  );
}

/** Of a commit that was made in parts, what is here while the last is not. */
interface Part {
  readonly hash: string;
  readonly parts: number;
}

const PART_PATH: readonly Segment[] = ['import', 'unfinished', 'commit'];

/** @throws {SteleError} `invalid` SOURCE_CHANGED when half of another commit than `next` is here */
export function checkParts(into: Bucket, next: string | undefined): void {
  const part = into.get<Part>(PART_PATH);
  if (part === undefined || part.hash === next) return;
  throw new SteleError(
    'invalid',
    'SOURCE_CHANGED',
    `half of commit ${part.hash.slice(0, 12)} is here, and ${next === undefined ? 'no commit' : `commit ${next.slice(0, 12)}`} comes next: ` +
      'import into another directory, or below another prefix',
    { detail: { hash: part.hash } },
  );
}

export interface ImportRun {
  readonly into: Bucket;
  /** Number of the last commit that is here. */
  readonly from: number;
  readonly signal: AbortSignal | undefined;
  readonly progress: (commits: number) => void;
}

/** Makes the commits, in order. Cost: the contents; at most 8 MiB of them wait to be written. */
export async function importCommits(source: AsyncIterable<SourceCommit> | Iterable<SourceCommit>, run: ImportRun): Promise<CommitTally> {
  const { into, from, signal, progress } = run;
  const tally: CommitTally = { commits: 0, puts: 0, deletes: 0, bytes: 0, leftOut: 0 };
  const pipeline = new Pipeline();
  try {
    for await (const commit of source) {
      if (signal?.aborted === true) break;
      if (tally.commits === 0) checkParts(into, commit.hash);
      await importCommit(into, commit, from + tally.commits + 1, pipeline, tally);
      tally.commits++;
      progress(from + tally.commits);
    }
  } finally {
    await pipeline.drain();
  }
  if (signal?.aborted === true)
    throw new SteleError('closed', 'CANCELLED', `the import was stopped after commit ${from + tally.commits}`, { cause: signal.reason });
  return tally;
}

async function importCommit(into: Bucket, commit: SourceCommit, n: number, pipeline: Pipeline, tally: CommitTally): Promise<void> {
  const counts = { added: 0, changed: 0, deleted: 0 };
  const leftOut: { path: readonly Segment[]; why: string }[] = [];
  const options = commitOptions(commit);
  let operations: BatchOperation[] = [];
  let bytes = 0;
  let parts = 0;
  const here = into.get<Part>(PART_PATH)?.parts ?? 0;
  for await (const change of commit.changes) {
    if (operations.length >= PART_OPERATIONS_MAX || (bytes > 0 && bytes + change.bytes > PART_BYTES_MAX)) {
      operations.push({ type: 'put', path: PART_PATH, value: { hash: commit.hash, parts: ++parts } });
      if (parts > here) await pipeline.push(into.batch(operations, options), bytes);
      operations = [];
      bytes = 0;
    }
    counts[change.kind]++;
    tally.bytes += change.bytes;
    bytes += change.bytes;
    const path = ['files', ...change.path];
    const refused = refusalOf(into, path);
    const why = change.leftOut ?? (change.value === undefined ? undefined : refused);
    if (why !== undefined) {
      leftOut.push({ path: change.path, why });
      tally.leftOut++;
    }
    if (refused !== undefined) continue;
    if (change.value === undefined) {
      operations.push({ type: 'delete', path });
      tally.deletes++;
    } else {
      operations.push({ type: 'put', path, value: change.value });
      tally.puts++;
    }
  }
  const { hash, author, email, subject, parents, merged } = commit;
  const info: CommitInfo = {
    ...{ hash, author, email, date: new Date(commit.dateMs), subject, parents, ...counts },
    ...(merged.length === 0 ? {} : { merged: merged.slice(0, MERGED_MAX), mergedCount: merged.length }),
    ...(leftOut.length === 0 ? {} : { leftOut }),
  };
  if (parts > 0) operations.push({ type: 'delete', path: PART_PATH });
  operations.push({ type: 'put', path: ['commits', n], value: info });
  await pipeline.push(into.batch(operations, options), bytes + 1024);
}

function commitOptions({ author, email, subject, dateMs }: SourceCommit): { actor: string; reason?: string; assertedTime: number } {
  const actor = cut(author === '' ? email : author, ACTOR_BYTES_MAX);
  const reason = cut(subject, REASON_BYTES_MAX);
  return {
    actor: actor === '' ? 'unknown' : actor,
    ...(reason === '' ? {} : { reason }),
    assertedTime: assertable(dateMs),
  };
}

/** The nearest time that can be asserted. */
export function assertable(ms: number): number {
  return Number.isNaN(ms) ? 1 : Math.min(Math.max(Math.trunc(ms), 1), TIME_MS_MAX);
}

/** The longest beginning of at most `bytesMax` bytes of UTF-8. */
export function cut(text: string, bytesMax: number): string {
  text = text.toWellFormed();
  if (text.length * 3 <= bytesMax) return text;
  const bytes = new Uint8Array(bytesMax);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}

/** Why the path can not be one of the database; nearly all are too short to ask. */
function refusalOf(into: Bucket, path: readonly Segment[]): string | undefined {
  if (path.length <= PLAIN_SEGMENTS_MAX && path.reduce<number>((sum, segment) => sum + lengthOf(segment), 0) <= PLAIN_UNITS_MAX)
    return undefined;
  try {
    into.has(path);
    return undefined;
  } catch (error) {
    if (error instanceof SteleError && error.code === 'PATH_INVALID') return error.message;
    throw error;
  }
}

function lengthOf(segment: Segment): number {
  return typeof segment === 'string' || segment instanceof Uint8Array ? segment.length : 0;
}
