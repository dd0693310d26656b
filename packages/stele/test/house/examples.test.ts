/**
 * Every example runs and prints what its `expected.txt` says.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { readText, root } from './repository.ts';

const run = promisify(execFile);

for (const name of readdirSync(join(root, 'examples'))) {
  if (!existsSync(join(root, 'examples', name, 'main.ts'))) continue;
  test(`examples/${name} runs and prints what it says`, { timeout: 60_000 }, async () => {
    const { stdout } = await run(process.execPath, [join(root, 'examples', name, 'main.ts')], { cwd: root });
    assert.equal(stdout, readText(`examples/${name}/expected.txt`));
    assert.ok(existsSync(join(root, 'examples', name, 'README.md')), 'an example without a README');
  });
}
