/**
 * Reading after a failure: the durable state, recovered from the files into a core of its own.
 *
 * After a failed write or sync the tree in memory holds commits nobody may rely on. Instead of undoing them, the files are
 * recovered once more, read-only, and replay stops at the durable commit. That costs a replay and a cache, once, at the first
 * read after the failure; and nothing on any path before it.
 *
 * Specification: spec/invariants.md rule 19; spec/transactions.md, "Durability".
 */

import type { Core } from './core.ts';
import { GroupCommit } from './group-commit.ts';
import { openCore } from './open.ts';
import { SightReader } from './reader.ts';
import type { Sight } from './scanner.ts';
import { PinnedView } from './view.ts';

export class FallbackReader extends SightReader {
  readonly #owner: Core;

  /** @throws {SteleError} what recovery throws: `corrupt`, or `unavailable` IO_ERROR when the files cannot be read either */
  constructor(owner: Core) {
    const { host, settings, durable } = owner;
    const { core } = openCore(
      host,
      { ...settings, readOnly: true, accelerator: false, pageSize: undefined, historyRetention: undefined },
      durable,
    );
    core.group = new GroupCommit(
      {
        log: core.log,
        timers: host.timers,
        monotonicMs: () => host.clock.monotonicMs(),
        debounceMs: settings.debounceMs,
        appended: () => core.applied,
        applied: () => core.applied,
        onWritten: nothing,
        onDurable: nothing,
        onReported: nothing,
        onFailure: nothing,
      },
      core.applied,
    );
    core.timeMs = Math.max(core.timeMs, owner.timeMs);
    super(core);
    this.#owner = owner;
  }

  protected override sight(): Sight {
    return { commit: this.core.applied, timeMs: this.#owner.nowMs(), claim: undefined, skipExpired: false };
  }

  /** The recovered core. */
  get durable(): Core {
    return this.core;
  }

  view(): PinnedView {
    return new PinnedView(this.core, this.core.applied, this.#owner.nowMs(), undefined, false);
  }

  close(): void {
    this.core.status = 'closed';
    this.core.log.close();
    this.core.index.close();
    this.core.pageFile.close();
  }
}

function nothing(): void {}
