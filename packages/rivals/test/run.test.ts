import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyOf, shuffledIndexes, zipfIndexes } from '../src/data.ts';
import { circumstances } from '../src/machine.ts';
import { writeJson, writeMarkdown } from '../src/report.ts';
import type { Settings } from '../src/row.ts';
import { rows, rowsMatching } from '../src/rows.ts';
import { run } from '../src/runner.ts';
import { judge, summarize } from '../src/summary.ts';

const settings: Settings = { keys: 500, rounds: 2, roundMs: 20, cacheBytes: 16 << 20, seed: 7 };

test('a run forks an engine per row, interleaves rounds, reports failures, and writes both reports', { timeout: 60_000 }, async () => {
  const root = mkdtempSync(join(tmpdir(), 'rivals-run-'));
  try {
    const failing = { ...rows[0]!, name: 'no-such-row' };
    const lines: string[] = [];
    const results = await run({
      rows: [...rowsMatching(['get-string']), failing],
      engines: ['lmdb', 'map'],
      settings,
      root,
      say: (line) => void lines.push(line),
    });
    assert.equal(results.length, 2);
    for (const { summary } of results[0]!.engines) {
      assert.equal(summary?.rounds, 2);
      assert.ok(summary.figures['rate']! > 0);
    }
    for (const { error } of results[1]!.engines) assert.match(error ?? '', /no row no-such-row/);
    const report = { command: 'npm run bench', circumstances: circumstances(settings, root), results };
    const text = writeMarkdown(report);
    assert.match(text, /\| get, uniform, string out \| ops\/s \| \S/);
    assert.match(text, /1\.8x best \| 2\.5x best \| –/);
    assert.equal(JSON.parse(writeJson(report)).results[0].name, 'get-string');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('verdicts follow the checks: goal, bar, below, and open when a figure is missing', () => {
  const row = rows.find((row) => row.name === 'get-string')!;
  const figures = (stele: number | undefined) =>
    new Map([
      ['lmdb', { rate: 100 }] as const,
      ['sqlite', { rate: 50 }] as const,
      ['map', { rate: 900 }] as const,
      ...(stele === undefined ? [] : [['stele', { rate: stele }] as const]),
    ]);
  assert.equal(judge(row, figures(250)), 'goal');
  assert.equal(judge(row, figures(180)), 'bar');
  assert.equal(judge(row, figures(179)), 'below');
  assert.equal(judge(row, figures(undefined)), 'open');
});

test('every row has a name of its own, a bar and a goal', () => {
  assert.equal(new Set(rows.map((row) => row.name)).size, rows.length);
  for (const row of rows) {
    assert.match(row.name, /^[a-z0-9-]+$/);
    assert.ok(row.bar.checks.length > 0 && row.goal.checks.length > 0, row.name);
  }
});

test('summaries pool chunks over rounds and take the slow end as p99', () => {
  const { figures } = summarize([
    { chunks: Array.from({ length: 50 }, () => 1000) },
    { chunks: Array.from({ length: 50 }, (_, i) => (i === 0 ? 10 : 2000)) },
  ]);
  assert.equal(figures['rate'], 2000 - (2000 - figures['rate']!));
  assert.ok(figures['rate'] === 1000 || figures['rate'] === 2000);
  assert.equal(figures['rateP99'], 1000);
});

test('keys, orders and draws are the same in every run', () => {
  assert.equal(keyOf(123456), 'users/000123456/name');
  assert.deepEqual([...shuffledIndexes(6, 1)].sort(), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(shuffledIndexes(100, 5), shuffledIndexes(100, 5));
  const draw = zipfIndexes(1000, 3);
  const counts = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const index = draw();
    assert.ok(index >= 0 && index < 1000);
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  assert.ok(most > 1500 && most < 4500, `the hottest of 1,000 is drawn ${most} times of 20,000`);
});
