/**
 * Opening: options checked, the engine opened, policies loaded, and the root handle made.
 *
 * Everything of the platform comes in as {@link Platform}; on Node that is node/open.ts.
 *
 * Specification: docs/api.md, "Opening".
 */

import { SteleError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import { openStored } from '../txn/stored-engine.ts';
import type { Engine, EngineOptions } from '../txn/types.ts';
import { lateChores } from './chores.ts';
import { StoredDatabase, type Targets } from './database.ts';
import { NOBODY } from './identity.ts';
import type { MaintainerFactory } from './maintainer.ts';
import { Place } from './place.ts';
import { PolicyBook } from './policy/book.ts';
import { resumeUpkeep } from './policy/declare.ts';
import { Codec, checkMembers, Store } from './store.ts';
import type { Database, OpenOptions } from './types.ts';

export const OPEN_OPTIONS: ReadonlySet<string> = new Set([
  'storage',
  'host',
  'durability',
  'debounceMs',
  'cacheMemory',
  'pageSize',
  'historyRetention',
  'logRetention',
  'readOnly',
  'logger',
  'viewIdleMs',
]);

export interface Platform {
  readonly host: Host;
  readonly targets: Targets;
  readonly cacheMemory: number;
  /** Layers: what is told of every write below the subtrees they were declared at. Indexes are always there. */
  readonly maintainers?: readonly MaintainerFactory[];
  release(): Promise<void>;
}

/** @throws {SteleError} `invalid` OPTION_INVALID, FEATURE_MISSING before anything is touched */
export function checkOpenOptions(options: OpenOptions): void {
  checkMembers('options', options, OPEN_OPTIONS);
  if (options.storage !== undefined && options.host !== undefined)
    throw new SteleError('invalid', 'OPTION_INVALID', 'both storage and host given, expected one: a host has its storage');
}

/** @throws {SteleError} as the engine's opening: `unavailable` LOCKED; `invalid` CONFIG_CONFLICT, FORMAT_NEWER, NOT_FOUND; `corrupt` … */
export function openDatabase(platform: Platform, options: OpenOptions): Database {
  const { host } = platform;
  const codec = new Codec(host);
  const load = (engine: Engine): PolicyBook => {
    try {
      return PolicyBook.load(engine, {
        codec,
        retention: engine.retention,
        logRetentionMs: options.logRetention,
        factories: platform.maintainers ?? [],
        readOnly: options.readOnly === true,
      });
    } catch (error) {
      // Not opened: writing without the policies would break what they promise.
      void engine.close();
      throw error;
    }
  };
  const engineOptions = optionsOfEngine(platform, options);
  const logger = options.logger ?? ((): void => {});
  const engine = openStored(engineOptions, lateChores);
  const book = load(engine);
  const store = new Store({ engine, book, host, codec, readOnly: options.readOnly === true, logger });
  if (!store.readOnly) resume(store);
  return new StoredDatabase(store, new Place(), NOBODY, {
    host,
    targets: platform.targets,
    isEnded: false,
    release: () => platform.release(),
    async reopen(repaired) {
      repaired.engine = openStored(engineOptions, lateChores);
      repaired.book = load(repaired.engine);
      resume(repaired);
    },
  });
}

/** Indexes that were being built or dropped when the database was last open go on in the background. */
function resume(store: Store): void {
  resumeUpkeep(store).catch((error: unknown) =>
    store.logger({ level: 'error', message: `an index could not be finished: ${error instanceof Error ? error.message : String(error)}` }),
  );
}

function optionsOfEngine({ host, cacheMemory }: Platform, options: OpenOptions): EngineOptions {
  const { storage: _storage, host: _host, logger, ...rest } = options;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    cacheMemory,
    ...given,
    ...(logger === undefined ? {} : { logger: typeof logger === 'function' ? afterwards(host, logger) : logger }),
    host,
  };
}

/** Behind the call that has something to tell: a logger may use the handle whose buffers that call works in. */
function afterwards({ timers }: Host, logger: NonNullable<OpenOptions['logger']>): NonNullable<OpenOptions['logger']> {
  return (event) =>
    timers.microtask(() => {
      try {
        logger(event);
      } catch {
        // A logger that throws stops nothing; there is nobody left to tell.
      }
    });
}
