/**
 * Compaction: fuller leaves, a shorter page file.
 *
 * Specification: spec/file-format.md, "Compaction".
 */

import type { Core } from './core.ts';
import type { Flusher } from './flusher.ts';
import type { Room } from './room.ts';
import type { Engine } from './types.ts';

export async function compactTree(
  core: Core,
  _room: Room,
  flusher: Flusher,
  _options: NonNullable<Parameters<Engine['compact']>[0]>,
): Promise<void> {
  await flusher.flush();
  core.pages.allocator.truncate();
}
