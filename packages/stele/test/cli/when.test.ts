/** Points in time and lengths of time as they are written. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/cli/failure.ts';
import { parseDuration, parseWhen } from '../../src/cli/when.ts';

const now = Date.parse('2026-11-20T12:00:00Z');

test('a point in time is a version, a moment in UTC, a while ago, or asserted', () => {
  assert.equal(parseWhen('42', now), 42);
  assert.equal(parseWhen('now', now), 'now');
  const moments: Record<string, string> = {
    '2026-11-20': '2026-11-20T00:00:00.000Z',
    '2026-11-20T10:00': '2026-11-20T10:00:00.000Z',
    '2026-11-20 10:00:30': '2026-11-20T10:00:30.000Z',
    '2026-11-20T10:00:30.5Z': '2026-11-20T10:00:30.500Z',
    '2026-11-20T10:00+02:00': '2026-11-20T08:00:00.000Z',
    '90s': '2026-11-20T11:58:30.000Z',
    '2h': '2026-11-20T10:00:00.000Z',
    '1.5d': '2026-11-19T00:00:00.000Z',
    '1w': '2026-11-13T12:00:00.000Z',
  };
  for (const [text, iso] of Object.entries(moments)) {
    assert.deepEqual(parseWhen(text, now), new Date(iso), text);
    assert.deepEqual(parseWhen(`asserted:${text}`, now), { asserted: new Date(iso) }, text);
  }
});

test('anything else is a mistake that says what is expected', () => {
  for (const text of ['', 'yesterday', '-1', '2026-13-01', '2026-11-20T25:00', '1y', 'asserted:', '99999999999999999999'])
    assert.throws(() => parseWhen(text, now), UsageError, text);
});

test('a length of time has a unit, or is seconds', () => {
  assert.equal(parseDuration('--wait', '500ms'), 500);
  assert.equal(parseDuration('--wait', '10'), 10_000);
  assert.equal(parseDuration('--wait', '1.5h'), 5_400_000);
  assert.throws(() => parseDuration('--wait', 'soon'), /--wait: found "soon", expected a length of time/);
});
