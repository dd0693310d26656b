import { SteleError } from '../base/errors.ts';
import type { Core } from './core.ts';
import type { Flusher } from './flusher.ts';
import type { Engine } from './types.ts';

export async function backupTo(
  _core: Core,
  _flusher: Flusher,
  _target: Parameters<Engine['backup']>[0],
  _options: NonNullable<Parameters<Engine['backup']>[1]>,
): Promise<void> {
  throw new SteleError('internal', 'INVARIANT', 'being written');
}
