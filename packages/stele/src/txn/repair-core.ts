/**
 * An open core for a repair: it can replay, read and flush, and does nothing by itself.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import type { Host } from '../host/host.ts';
import type { Core } from './core.ts';
import { FLUSH_LIMITS, Flusher } from './flusher.ts';
import { GroupCommit } from './group-commit.ts';
import { openCore } from './open.ts';
import type { Settings } from './options.ts';

/** A core that can flush, without any background work. */
export function openForRepair(host: Host, settings: Settings): { core: Core; flusher: Flusher } {
  const { core, looseLargeFrom } = openCore(host, settings);
  const nothing = (): void => {};
  core.group = new GroupCommit(
    {
      log: core.log,
      timers: host.timers,
      monotonicMs: () => host.clock.monotonicMs(),
      debounceMs: settings.debounceMs,
      appended: () => core.log.headCommit,
      applied: () => core.applied,
      onWritten: nothing,
      onDurable: nothing,
      onReported: nothing,
      onFailure: nothing,
    },
    core.applied,
  );
  return { core, flusher: new Flusher(core, FLUSH_LIMITS, looseLargeFrom) };
}

/** Idempotent. Writes nothing. */
export function closeCore(core: Core): void {
  core.status = 'closed';
  core.isPlain = false;
  core.group?.stop();
  core.log.close();
  core.index.close();
  core.pageFile.close();
}
