/**
 * The exported suite of abstract-level, whole, over levels that `make` gives. Its tests leave half of their levels open: they are closed here,
 * since hundreds of open databases hold gigabytes.
 *
 * https://github.com/Level/abstract-level, "Test Suite".
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { SteleLevel } from '../../src/abstract-level/index.ts';
import { type TapeTest, tapeTest } from './tape.ts';

/** A level, or a sublevel of one. */
interface Made {
  close(): Promise<void>;
  removeAllListeners(): unknown;
}

type Suite = (options: { readonly test: TapeTest; readonly factory: (options?: object) => SteleLevel }) => void;

/** `make` gives a level over a place of its own each time. */
export function runSuite(make: (options?: object) => SteleLevel): void {
  const suite = createRequire(import.meta.url)('abstract-level/test') as Suite;
  const made: Made[] = [];
  // Made by a "… setup" for the tests up to its "… teardown".
  const shared: Made[] = [];
  const closeAll = async (levels: Made[]): Promise<void> => {
    for (const level of levels.splice(0).reverse()) {
      // Their tests are over: what they wait for is no claim any more.
      level.removeAllListeners();
      await level.close().catch(async (error: { code?: string }) => {
        // A failed postopen hook locks a level for ever, with the database below it open.
        assert.match(error.code ?? '', /^LEVEL_(STATUS_LOCKED|DATABASE_NOT_CLOSED)$/);
        if (level instanceof SteleLevel) await level.db?.close();
      });
    }
  };
  suite({
    test: tapeTest(async (name) => {
      if (name.endsWith(' setup')) shared.push(...made.splice(0));
      await closeAll(made);
      if (name.endsWith(' teardown')) await closeAll(shared);
    }),
    factory: (options) => {
      const level = make(options);
      made.push(level);
      const { sublevel } = level;
      level.sublevel = ((...given: Parameters<typeof sublevel>) => {
        const below = sublevel.apply(level, given);
        made.push(below);
        return below;
      }) as typeof sublevel;
      return level;
    },
  });
  after(() => closeAll(shared));
}
