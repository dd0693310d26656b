import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, progressLine, showProgress } from '../../src/cli/progress.ts';

function recorded(isTTY: boolean, columns = 80): { text: string[]; isTTY: boolean; columns: number; write(text: string): void } {
  const text: string[] = [];
  return { text, isTTY, columns, write: (piece) => void text.push(piece) };
}

test('a line says how far, how fast and how long yet; of an earlier run nothing counts for the rate', () => {
  const line = { label: 'import', unit: 'commits', total: 2000, from: 200, ms: 1000 };
  assert.equal(progressLine({ ...line, done: 1200 }), 'import   1,200 of 2,000 commits   60 %   1,000/s   0:01 left');
  assert.equal(progressLine({ ...line, done: 2000 }), 'import   2,000 of 2,000 commits   100 %   1,800/s');
  assert.equal(progressLine({ ...line, done: 200 }), 'import   200 of 2,000 commits   10 %', 'no rate of nothing');
  assert.equal(progressLine({ ...line, done: 300, ms: 10 }), 'import   300 of 2,000 commits   15 %', 'no rate of a moment');
  assert.equal(
    progressLine({ ...line, unit: 'bytes', total: 8e6, from: 0, done: 2e6 }),
    'import   2.0 MB of 8.0 MB   25 %   2.0 MB/s   0:03 left',
  );
  assert.equal(progressLine({ ...line, total: undefined, done: 1200 }), 'import   1,200 commits   1,000/s');
  assert.deepEqual([0.2, 59, 60, 3599, 3600, 90_061].map(duration), ['0:01', '0:59', '1:00', '59:59', '1:00:00', '25:01:01']);
});

test('on a terminal one line is written over, no wider than the window, and taken away in the end', () => {
  const out = recorded(true, 30);
  let ms = 0;
  const progress = showProgress({ label: 'import', unit: 'commits', total: 1000, out, now: () => ms });
  for (; ms < 1000; ms += 10) progress.at(ms);
  assert.equal(out.text.length, 10, 'ten times a second');
  for (const piece of out.text) assert.match(piece, /^\rimport {3}[^\n]{0,20}\x1b\[K$/);
  progress.end();
  progress.end();
  progress.at(1000);
  assert.deepEqual(out.text.slice(10), ['\r\x1b[K']);
});

test('a terminal that says it has no columns is taken for one of 80', () => {
  const out = recorded(true, 0);
  showProgress({ label: 'import', unit: 'commits', total: 10, out, now: () => 0 }).at(1);
  assert.deepEqual(out.text, ['\rimport   1 of 10 commits   10 %\x1b[K']);
});

test('in a pipe a plain line every five seconds, none of a short run', () => {
  const out = recorded(false);
  let ms = 0;
  const progress = showProgress({ label: 'import', unit: 'commits', out, now: () => ms });
  for (; ms < 12_000; ms += 100) progress.at(ms);
  progress.end();
  assert.deepEqual(out.text, ['import   5,000 commits   1,000/s\n', 'import   10,000 commits   1,000/s\n']);
});
