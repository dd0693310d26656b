/**
 * Applier: one effect into the tree, the same for a commit being made and for a record being replayed.
 *
 * Invariants
 * - The tree's path to the key is sought and held when `write` is called; nothing here loads a page.
 * - Replaying an effect the tree already holds changes nothing (a flush may run while a large commit is applied).
 *
 * Specification: spec/transactions.md, "Retention"; ARCHITECTURE.md, "The write path".
 */

import { compareBytes } from '../base/bytes.ts';
import type { CommitView } from '../log/commit-view.ts';
import { OperationView } from '../log/operation-view.ts';
import { EntryDraft, inlineValueBytesMax } from '../tree/draft.ts';
import {
  ENTRY_EXPIRES,
  ENTRY_LARGE,
  ENTRY_TOMBSTONE,
  expiresAt,
  flagsAt,
  LARGE_IN_LOG,
  LARGE_IN_PAGES,
  largeFirstPageAt,
  largeKindAt,
  largePagesAt,
} from '../tree/entry.ts';
import type { Core } from './core.ts';
import { FOUND, MISS } from './core.ts';
import { Found, settleValue, versionAt } from './lookup.ts';
import { KEY_BYTES_MAX } from './options.ts';
import type { Superseded } from './superseded.ts';

export class Applier {
  readonly #core: Core;
  readonly #draft = new EntryDraft();
  readonly #found = new Found();

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Puts the effect in at the sought key. `value` undefined = delete. `valueBytes` alone, with `value` empty, for a value
   * that stays in the log. `location`: where the entry was found without a path to it, so that it may be overwritten in its
   * place; negative: a path is sought.
   */
  write(
    location: number,
    key: Uint8Array,
    keyBytes: number,
    value: Uint8Array | undefined,
    valueStart: number,
    valueEnd: number,
    expiresAt: number,
    commit: number,
    ordinal: number,
    old: Superseded,
  ): void {
    const core = this.#core;
    const { tree, pages } = core;
    if (core.share !== undefined) core.share.begun(commit, old.isKept && (old.addressCarried || old.table !== undefined));
    if (old.overflowPages > 0) pages.freeOverflow(old.overflowFirstPage, old.overflowPages);
    if (core.window.active) core.window.add(commit, key, keyBytes);
    if (value === undefined && !old.isKept) {
      if (location >= 0) this.seek(key, keyBytes);
      if (old.exists) tree.remove();
      return;
    }
    const draft = this.#draft;
    draft.clear();
    draft.commit = commit;
    draft.ordinal = ordinal;
    old.fillDraft(draft);
    if (value === undefined) {
      draft.tombstone = true;
      if (commit < core.tombstonesFrom) core.tombstonesFrom = commit;
    } else {
      draft.expiresAt = expiresAt;
      if (expiresAt !== 0) core.mayExpire = true;
      const bytes = valueEnd - valueStart;
      if (bytes > inlineValueBytesMax(pages.pageBytes, keyBytes, draft)) {
        draft.large = true;
        draft.largeKind = LARGE_IN_LOG;
        core.mayHoldLargeInLog = true;
        core.counters.largeValues++;
        draft.largeBytes = bytes;
      } else {
        draft.value = value;
        draft.valueStart = valueStart;
        draft.valueEnd = valueEnd;
      }
    }
    if (location < 0 || !tree.overwrite(location, draft, key, keyBytes)) {
      if (location >= 0) this.seek(key, keyBytes);
      tree.write(draft);
    }
    // May look into the index and so push pages out: after the tree was changed.
    if (old.exists && core.segmentUse.isTracking) this.#noteUse(key, keyBytes, old, commit);
  }

  /** Takes the sought entry away for good, without a trace in the log: nobody can ask for it any more. */
  removeSought(location: number): void {
    const { tree, pages } = this.#core;
    if ((flagsAt(pages, location) & ENTRY_LARGE) !== 0 && largeKindAt(pages, location) === LARGE_IN_PAGES) {
      pages.freeOverflow(largeFirstPageAt(pages, location), largePagesAt(pages, location));
    }
    tree.remove();
  }

  /** The bytes of what is superseded stay needed until the horizon passes this commit. */
  #noteUse(key: Uint8Array, keyBytes: number, old: Superseded, commit: number): void {
    if (!old.isKept) return;
    const core = this.#core;
    const range = core.retention.rangeIndexOf(key, keyBytes);
    for (const segment of core.holdersOf(old.addressCommit)) core.segmentUse.note(segment, range, commit);
  }

  /** Applies one commit read from the log; returns the number of effects that were new. */
  replay(view: CommitView, old: Superseded, room: { forOne(): void }): number {
    const core = this.#core;
    const operation = this.#operation;
    let fresh = 0;
    for (let ordinal = 0; view.next(operation); ordinal++) {
      const key = this.#key;
      const keyBytes = operation.keyEnd - operation.keyStart;
      for (let at = 0; at < keyBytes; at++) key[at] = operation.bytes[operation.keyStart + at]!;
      room.forOne();
      const location = this.seek(key, keyBytes);
      old.inspect(core, location, view.timeMs);
      if (old.exists && old.commit >= view.commit) continue;
      if (operation.backCommit !== 0 && old.exists)
        old.keep(core, keyBytes, operation.backCommit, operation.backOrdinal, operation.backCarried);
      if (operation.isDelete) this.write(-1, key, keyBytes, undefined, 0, 0, 0, view.commit, ordinal, old);
      else if (operation.isLarge)
        this.write(-1, key, keyBytes, NOTHING, 0, operation.valueBytes, operation.expiresAt, view.commit, ordinal, old);
      else
        this.write(
          -1,
          key,
          keyBytes,
          operation.bytes,
          operation.valueStart,
          operation.valueEnd,
          operation.expiresAt,
          view.commit,
          ordinal,
          old,
        );
      fresh++;
    }
    return fresh;
  }

  readonly #operation = new OperationView();
  readonly #key = new Uint8Array(KEY_BYTES_MAX);

  /** Finds without a path, through the accelerator where it knows, loading what is missing. */
  find(key: Uint8Array, keyBytes: number): number {
    const core = this.#core;
    for (;;) {
      const location = core.tree.find(key, keyBytes);
      if (location !== MISS) return location;
      core.missTree();
      core.fill();
    }
  }

  /** Seeks for a write, loading what is missing. */
  seek(key: Uint8Array, keyBytes: number): number {
    const core = this.#core;
    for (;;) {
      const location = core.tree.seek(key, keyBytes);
      if (location !== MISS) return location;
      core.missTree();
      core.fill();
    }
  }

  /** A copy of the newest stored value of `key`, whatever its expiry; for carrying it. */
  storedValue(key: Uint8Array, keyBytes: number): Uint8Array {
    const core = this.#core;
    const found = this.#found;
    for (;;) {
      const location = core.tree.find(key, keyBytes);
      const state = location === MISS ? core.missTree() : versionAt(core, location, Number.MAX_SAFE_INTEGER, -1, found);
      if (state === MISS) {
        core.fill();
        continue;
      }
      settleValue(core, found);
      return core.copyOf(found.bytes, found.start, found.end);
    }
  }

  /** Keys live at `timeMs` in [start, end), in order. */
  liveKeys(start: Uint8Array, end: Uint8Array, timeMs: number): Uint8Array[] {
    const core = this.#core;
    const cursor = core.tree.cursor();
    const key = new Uint8Array(KEY_BYTES_MAX);
    const keys: Uint8Array[] = [];
    cursor.setOptions({ skipDead: true });
    let isFirst = true;
    for (;;) {
      const moved = isFirst ? cursor.seek(start, start.length) : cursor.next();
      if (moved === MISS) {
        core.missTree();
        core.fill();
        continue;
      }
      isFirst = false;
      if (moved !== FOUND) return keys;
      const keyBytes = cursor.keyInto(key);
      if (compareBytes(key, 0, keyBytes, end, 0, end.length) >= 0) return keys;
      cursor.save();
      if (isLiveAtTime(core, cursor.location, timeMs)) keys.push(key.slice(0, keyBytes));
    }
  }
}

function isLiveAtTime(core: Core, location: number, timeMs: number): boolean {
  const flags = flagsAt(core.pages, location);
  if ((flags & ENTRY_TOMBSTONE) !== 0) return false;
  return (flags & ENTRY_EXPIRES) === 0 || expiresAt(core.pages, location) > timeMs;
}

const NOTHING = new Uint8Array(0);
