/**
 * Under Node's permission model, with the directory and the package's own sources to read, and nothing else.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXPECTED } from './life.ts';

const packageFolder = fileURLToPath(new URL('../../', import.meta.url));
const child = fileURLToPath(new URL('./child.ts', import.meta.url));

function run(directory: string, flags: readonly string[]): Promise<{ failure: string | undefined; stdout: string }> {
  const confinement = [
    '--permission',
    `--allow-fs-read=${packageFolder}*`,
    `--allow-fs-read=${directory}`,
    `--allow-fs-write=${directory}`,
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, [...confinement, ...flags, child, directory], (error, stdout, stderr) => {
      resolve({ failure: error === null ? undefined : `${error.message}\n${stderr}`, stdout });
    });
  });
}

for (const [threads, flags] of [
  ['inline', []],
  ['worker', ['--allow-worker']],
] as const) {
  test(`a database lives under the permission model with its directory alone, jobs ${threads}`, { timeout: 60_000 }, async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'stele-envelope-')));
    try {
      const { failure, stdout } = await run(directory, flags);
      assert.equal(failure, undefined);
      assert.deepEqual(JSON.parse(stdout), { ...EXPECTED, threads, isConfined: true });
      assert.ok(readdirSync(directory).includes('pages.db'));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}

test('the confinement is real: the same child cannot write beside its directory', { timeout: 60_000 }, async () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'stele-envelope-')));
  try {
    const confinement = [
      '--permission',
      `--allow-fs-read=${packageFolder}*`,
      `--allow-fs-read=${directory}`,
      `--allow-fs-write=${directory}`,
    ];
    const failure = await new Promise<string>((resolve) => {
      execFile(process.execPath, [...confinement, child, `${directory}-beside`], (error, _stdout, stderr) =>
        resolve(error === null ? '' : stderr),
      );
    });
    assert.match(failure, /PERMISSION|ERR_ACCESS_DENIED/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
