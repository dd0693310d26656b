/**
 * Mutants: builds that break one promise on purpose. The fast slice must fail on each; one that survives is a missing test.
 *
 * A mutant is a replacement in one source file, applied to a copy of `src` and `test` in the system's directory for temporary
 * files. The text to be replaced must be there exactly once, so a mutant that no longer fits says so.
 */

import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Mutant {
  /** Which promise it breaks. */
  readonly rule: string;
  readonly changes: readonly (readonly [file: string, find: string, replace: string])[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    rule: 'flush rule 1: a meta names a commit before the log is on the device through it',
    changes: [
      [
        'txn/flusher.ts',
        '      core.group.syncNow();\n      core.index.write(this.#commit);',
        '      core.group.writeNow();\n      core.index.write(this.#commit);',
      ],
      [
        'txn/flusher.ts',
        '    await core.group.sync();\n    core.index.write(this.#commit);',
        '    core.group.writeNow();\n    core.index.write(this.#commit);',
      ],
    ],
  },
  {
    rule: 'flush rule 2: pages of the metas on disk are reused at once',
    changes: [['pager/allocator.ts', '    blocked.unite(this.#current);\n    blocked.unite(this.#older);\n', '']],
  },
  {
    rule: 'flush rule 3: the meta names the commit at the end of the flush, the pages are of its start',
    changes: [
      [
        'txn/flusher.ts',
        '      commit: core.applied,\n      timeMs: core.nowMs(),',
        '      get commit() { return core.applied; },\n      timeMs: core.nowMs(),',
      ],
      ['txn/flusher.ts', '      logSegment: core.endSegment,', '      get logSegment() { return core.endSegment; },'],
      ['txn/flusher.ts', '      logOffset: core.endOffset,', '      get logOffset() { return core.endOffset; },'],
      ['txn/flusher.ts', '      logChecksum: core.endChecksum,', '      get logChecksum() { return core.endChecksum; },'],
    ],
  },
  {
    rule: 'flush rule 3: a frozen page is changed without being copied',
    changes: [
      [
        'pager/page-cache.ts',
        '    if (this.frames.frozen[frame] !== FROZEN_NOT) this.#saveImage(lpn, frame);\n    this.frames.markDirty(frame);',
        '    this.frames.markDirty(frame);',
      ],
    ],
  },
  {
    rule: 'flush rule 4: a meta is written before the pages it names are synced',
    changes: [
      ['pager/flush-job.ts', '    file.sync();\n    this.#writeMeta(ending);', '    this.#writeMeta(ending);'],
      ['pager/flush-job.ts', '    await file.syncAsync();\n    if (this.#isEnding()) {', '    if (this.#isEnding()) {'],
      ['txn/flusher.ts', '      await job.sync();\n      await this.#syncLog();', '      await this.#syncLog();'],
      [
        'pager/page-file.ts',
        "    invariant(this.#syncedCount >= writesNamed, 'flush rule 4: a meta page before its pages were synced');\n",
        '',
      ],
    ],
  },
  {
    rule: 'rule 1: record checksums are not looked at while the log is read',
    changes: [
      ['log/scanner.ts', "    if (found !== headChecksum(bytes, at)) return this.#stop('record fails its checksum');\n", ''],
      ['log/scanner.ts', '    this.chain = found;\n', '    this.chain = headChecksum(bytes, at);\n'],
    ],
  },
  {
    rule: 'rule 1: records do not chain',
    changes: [['log/scanner.ts', 'if (this.chain !== undefined && headChain(this.bytes, at) !== this.chain)', 'if (this.chain === -1)']],
  },
  {
    rule: 'rule 4: payload goes although its headers are not written',
    changes: [['txn/housekeeper.ts', '      if (segment.lastCommit > core.headersThrough) break;\n', '']],
  },
  {
    rule: 'rule 4: headers are taken for safe before they are synced',
    changes: [['log/header-job.ts', '    await file.syncAsync();\n', '']],
  },
  {
    rule: 'rule 6: replay takes the address of the entry it finds instead of the one in the record',
    changes: [
      [
        'txn/applier.ts',
        'old.keep(core, keyBytes, operation.backCommit, operation.backOrdinal, operation.backCarried)',
        'old.keep(core, keyBytes, old.commit, old.ordinal, false)',
      ],
    ],
  },
  {
    rule: 'rule 9: a value whose log bytes are gone is not carried',
    changes: [
      [
        'txn/encoder.ts',
        'if (!isKept || this.#core.segments.has(old.commit)) return undefined;',
        'if (old !== undefined) return undefined;',
      ],
    ],
  },
  {
    rule: 'rule 16: a record that is not there is called damage at the first look',
    changes: [['txn/threads/lookup.ts', 'const REFRESHES_MAX = 3;', 'const REFRESHES_MAX = 0;']],
  },
  {
    rule: 'rule 18: a commit is acknowledged before its sync',
    changes: [
      [
        'txn/group-commit.ts',
        'waiter.needsDevice ? waiter.commit > this.durable : waiter.commit > this.written',
        'waiter.commit > this.written',
      ],
    ],
  },
  {
    rule: 'rule 18: the blocking form returns before its sync',
    changes: [
      [
        'txn/group-commit.ts',
        "      if (level === 'immediate') this.syncNow();\n",
        "      if (level === 'immediate') this.durable = commit;\n",
      ],
    ],
  },
  {
    rule: 'rule 19: writing goes on after a failed write or sync',
    changes: [
      ['log/log.ts', '    this.failed = true;\n', ''],
      [
        'txn/group-commit.ts',
        '    return this.#failure;\n  }\n\n  /** No more',
        '    const told = this.#failure;\n    this.#failure = undefined;\n    return told;\n  }\n\n  /** No more',
      ],
      ['txn/stored-engine.ts', "    core.status = 'failed';\n", "    if (core.status === 'open') return;\n"],
    ],
  },
  {
    rule: 'rule 21: a repair changes files without a mark that tells of it',
    changes: [['txn/repair-files.ts', '    if (!this.#isMarked) markUnfinished(storage, `repair ${this.number}`);\n', '']],
  },
  {
    rule: 'rule 22: a copy that is not whole yet is not marked',
    changes: [['txn/backup.ts', "    markUnfinished(target, 'backup');\n", '']],
  },
];

/** What became of a mutant. */
export interface Fate {
  readonly rule: string;
  readonly isCaught: boolean;
  /** Why it was caught, in a line. */
  readonly by: string;
}

const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** Runs the fast slice on a copy with the changes. No changes: the control, which must pass. */
export async function runMutant(mutant: Mutant): Promise<Fate> {
  const root = mkdtempSync(join(tmpdir(), 'stele-mutant-'));
  try {
    for (const part of ['src', 'test']) cpSync(join(packageRoot, part), join(root, part), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    for (const [file, find, replace] of mutant.changes) {
      const path = join(root, 'src', file);
      const text = readFileSync(path, 'utf8');
      if (text.split(find).length !== 2) throw new Error(`${mutant.rule}: the text to be replaced is not there once in ${file}: ${find}`);
      writeFileSync(
        path,
        text.replace(find, () => replace),
      );
    }
    return await new Promise((resolve) => {
      execFile(process.execPath, [join(root, 'test/crash/slice.ts')], { timeout: 120_000 }, (error, _out, complaints) => {
        const line =
          complaints.split('\n').find((each) => /Error/.test(each)) ??
          (error === null ? 'nothing' : `it ended with ${error.code ?? error.signal}`);
        resolve({ rule: mutant.rule, isCaught: error !== null, by: line.trim().slice(0, 160) });
      });
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
