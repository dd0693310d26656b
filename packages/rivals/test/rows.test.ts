/**
 * The benchmarks cannot rot: every row runs, tiny, for every engine it names, in this process. Figures do not matter here; that every
 * engine gives the right answers does (the rows check what they read).
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { rivalNames } from '../src/rival.ts';
import type { Settings } from '../src/row.ts';
import { rows } from '../src/rows.ts';
import { Session } from '../src/session.ts';
import { summarize } from '../src/summary.ts';

const settings: Settings = { keys: 1000, rounds: 1, roundMs: 20, cacheBytes: 16 << 20, seed: 7 };

for (const engine of rivalNames) {
  describe(`with ${engine}`, () => {
    let root = '';
    before(() => {
      root = mkdtempSync(join(tmpdir(), `rivals-${engine}-`));
    });
    after(() => rmSync(root, { recursive: true, force: true }));
    for (const row of rows.filter((row) => row.engines.includes(engine))) {
      test(`${row.name} runs and gives its figure`, { timeout: 30_000 }, async () => {
        const session = await Session.begin({ row: { ...row, warmups: 0 }, engine, settings, root });
        try {
          const { figures } = summarize([await session.round(0)]);
          for (const name of [row.figure, ...[...row.bar.checks, ...row.goal.checks].map((check) => check.figure ?? row.figure)]) {
            assert.ok(Number.isFinite(figures[name]), `${name} is ${figures[name]}`);
          }
        } finally {
          await session.end();
        }
      });
    }
  });
}
