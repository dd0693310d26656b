/**
 * A git checkout into the database: its main line, one commit each, where the last import stopped.
 *
 * What is decided
 * - A symbolic link is `{ link: target }`, a submodule `{ submodule: commit }`: no file has such a value.
 * - Content that is UTF-8 without a NUL is text, all other bytes. A segment of a path that is no UTF-8 is bytes.
 * - Whether a file may be executed is not kept; a commit that changes nothing else of a file does not write it.
 * - Merges are told against their first parent (see git-log.ts); renames are a deletion and an addition.
 * - Contents above 63 MiB are left out: the path is not there after that commit, and `leftOut` says why.
 *
 * Invariants
 * - What is imported is the history of one commit, decided at the beginning: what comes meanwhile comes next time.
 * - A history that is not the continuation of what is here is refused before anything is written.
 */

import { SteleError } from '../../base/errors.ts';
import type { Bucket, Segment, Value } from '../../model/types.ts';
import { type CommitTally, checkParts, importCommits, lastImported, type SourceChange, type SourceCommit } from './commits.ts';
import { type BlobReader, readBlobs } from './git-blobs.ts';
import { type GitChange, type GitCommit, gitLog } from './git-log.ts';
import { askGit, gitHolds } from './git-program.ts';

export interface GitImportOptions {
  /** The commit whose history is read. Default `HEAD`. */
  readonly ref?: string;
  readonly signal?: AbortSignal;
  /** Commits that are here, and how many there will be. */
  readonly progress?: (done: number, total: number) => void;
}

export interface GitImport extends CommitTally {
  /** The top of the checkout, or the repository when it has none. */
  readonly root: string;
  /** The commit whose history is here now. */
  readonly tip: string;
  /** Commits that were here before. */
  readonly before: number;
  /** The checkout stands on a commit that was imported earlier; nothing was to do. */
  readonly isBehind: boolean;
}

export interface GitSource {
  readonly root: string;
  readonly isShallow: boolean;
}

const CONTENT_BYTES_MAX = 63 * 1024 * 1024;
/** Commits that git is asked for ahead, so that neither program waits for the other. */
const AHEAD_COMMITS = 64;
const AHEAD_CONTENTS = 1000;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const REGULAR = '100';
const LINK = '120000';
const SUBMODULE = '160000';

/** Where the repository is that a directory lies in. @throws {SteleError} `invalid` SOURCE_INVALID when there is none, or no git */
export async function findGit(directory: string): Promise<GitSource> {
  const [bare, shallow] = (await askGit(directory, ['rev-parse', '--is-bare-repository', '--is-shallow-repository'])).split('\n');
  const root = await askGit(directory, ['rev-parse', bare === 'true' ? '--absolute-git-dir' : '--show-toplevel']);
  return { root, isShallow: shallow === 'true' };
}

/**
 * Imports what is not here yet.
 *
 * Cost: contents that changed, once. Durability is that of the database: open it with `async` for speed, and `sync` at the end.
 *
 * @throws {SteleError} `invalid` SOURCE_INVALID; SOURCE_CHANGED; `closed` CANCELLED: what was made stays, and the next call goes on
 */
export async function importGit(into: Bucket, directory: string, options: GitImportOptions = {}): Promise<GitImport> {
  const { ref = 'HEAD', signal, progress } = options;
  const { root, isShallow } = await findGit(directory);
  if (isShallow)
    throw new SteleError(
      'invalid',
      'SOURCE_INVALID',
      `${root} is a shallow clone, its history is cut: \`git fetch --unshallow\` gets the rest`,
      {
        detail: { directory: root, shallow: true },
      },
    );
  if (!(await gitHolds(directory, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`])))
    throw new SteleError('invalid', 'SOURCE_INVALID', `${root} has no commit ${ref}${ref === 'HEAD' ? ' yet' : ''}`, {
      detail: { directory: root, ref },
    });
  const tip = await askGit(directory, ['rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`]);
  const last = lastImported(into);
  const before = last?.n ?? 0;
  const none: CommitTally = { commits: 0, puts: 0, deletes: 0, bytes: 0, leftOut: 0 };
  const standing = last === undefined ? 'new' : await standingOf(directory, tip, last.hash);
  if (standing === 'behind' || standing === 'same') checkParts(into, undefined);
  if (standing === 'behind' || standing === 'same') return { ...none, root, tip, before, isBehind: standing === 'behind' };
  if (standing === 'other') throw rewritten(root, last!);
  const range = last === undefined ? [tip] : [tip, `^${last.hash}`];
  const total = before + Number(await askGit(directory, ['rev-list', '--first-parent', '--count', ...range, '--']));
  await using blobs = readBlobs(directory, CONTENT_BYTES_MAX);
  const tally = await importCommits(sourceOf(gitLog(directory, tip, last?.hash), blobs), {
    into,
    from: before,
    signal,
    progress: (done) => progress?.(done, total),
  });
  return { ...tally, root, tip, before, isBehind: false };
}

/** How the tip stands to the last commit that is here. */
async function standingOf(directory: string, tip: string, last: string): Promise<'same' | 'ahead' | 'behind' | 'other'> {
  if (tip === last) return 'same';
  if (!(await gitHolds(directory, ['cat-file', '-e', `${last}^{commit}`]))) return 'other';
  if (await gitHolds(directory, ['merge-base', '--is-ancestor', tip, last])) return 'behind';
  if (!(await gitHolds(directory, ['merge-base', '--is-ancestor', last, tip]))) return 'other';
  // An ancestor, but of a side line: the first commit behind it must be its child on the main line.
  const line = await askGit(directory, ['rev-list', '--first-parent', '--topo-order', '--reverse', '--parents', tip, `^${last}`, '--']);
  return line.split('\n')[0]!.split(' ')[1] === last ? 'ahead' : 'other';
}

function rewritten(root: string, { n, hash }: { n: number; hash: string }): SteleError {
  return new SteleError(
    'invalid',
    'SOURCE_CHANGED',
    `commit ${n} here is ${hash.slice(0, 12)}, which is not on the main line of ${root}: its history was rewritten, or it is another repository. ` +
      'Nothing was imported; import into another directory, or below another prefix',
    { detail: { n, hash, directory: root } },
  );
}

/** Asks for contents ahead and gives the commits in order. Each must be read before the next: the answers come in that order. */
async function* sourceOf(commits: AsyncIterable<GitCommit>, blobs: BlobReader): AsyncGenerator<SourceCommit, void> {
  const ahead: GitCommit[] = [];
  let asked = 0;
  const taken = (): SourceCommit => {
    const commit = ahead.shift()!;
    asked -= commit.changes.length;
    return { ...commit, changes: changesOf(commit.changes, blobs) };
  };
  for await (const commit of commits) {
    for (const change of commit.changes) if (hasContent(change)) blobs.ask(change.hash);
    ahead.push(commit);
    asked += commit.changes.length;
    while (ahead.length > AHEAD_COMMITS || (ahead.length > 1 && asked > AHEAD_CONTENTS)) yield taken();
  }
  while (ahead.length > 0) yield taken();
}

function hasContent({ status, mode, modeBefore, hash, hashBefore }: GitChange): boolean {
  if (status === 'D' || mode === SUBMODULE) return false;
  return !(hash === hashBefore && mode.startsWith(REGULAR) && modeBefore.startsWith(REGULAR));
}

async function* changesOf(changes: readonly GitChange[], blobs: BlobReader): AsyncGenerator<SourceChange, void> {
  for (const change of changes) {
    const { status, mode, hash } = change;
    const kind = status === 'A' ? 'added' : status === 'D' ? 'deleted' : 'changed';
    const path = pathOf(change.path);
    if (status === 'D') yield { kind, path, value: undefined, bytes: 0 };
    else if (mode === SUBMODULE) yield { kind, path, value: { submodule: hash }, bytes: 0 };
    else if (hasContent(change)) {
      const blob = await blobs.read();
      if ('tooLong' in blob)
        yield { kind, path, value: undefined, bytes: 0, leftOut: `${blob.tooLong} bytes, at most ${CONTENT_BYTES_MAX}` };
      else yield { kind, path, value: contentOf(blob.bytes, mode), bytes: blob.bytes.length };
    }
  }
}

function contentOf(bytes: Uint8Array, mode: string): Value {
  const content = bytes.includes(0) ? bytes : textOr(bytes);
  return mode === LINK ? { link: content } : content;
}

function pathOf(bytes: Uint8Array): Segment[] {
  const path: Segment[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(0x2f, start);
    const end = found < 0 ? bytes.length : found;
    path.push(textOr(Uint8Array.from(bytes.subarray(start, end))));
    start = end + 1;
  }
  return path;
}

/** The text that the bytes are in UTF-8; the bytes when they are none. A byte order mark stays. */
function textOr(bytes: Uint8Array): string | Uint8Array {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes;
  }
}
